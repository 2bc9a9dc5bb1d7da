"""Asks Stripe for single objects through its own package, without building objects of them."""

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import msgspec
import stripe

from producer.errors import StripeRefused, StripeUnreachable
from runtime.clock import Clock

REQUEST_SECONDS_MAX: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """An object as Stripe showed it when it was asked for by id.

    Attributes:
        body: its JSON; of an object that does not exist only `id`, `object`, `deleted`.
        observed_second: of Stripe's clock: all that happened in earlier seconds is in the body.
    """

    body: bytes
    observed_second: int
    gone: bool


class StripeApi:
    """Stripe's API with one key.

    Args:
        key: of Stripe; a restricted one needs read access to what is fetched.
        base: address of the API; empty for Stripe's own.
    """

    def __init__(self, *, key: str, base: str, clock: Clock) -> None:
        self._clock = clock
        self._client = stripe.StripeClient(
            key,
            base_addresses={"api": base.rstrip("/")} if base else {},
            # Trying again is the caller's: it knows how long it pays.
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=REQUEST_SECONDS_MAX),
        )

    def retrieve(
        self, *, path: str, object_name: str, object_id: str, account_id: str
    ) -> Retrieved:
        """The object at an address of the API, as it is now.

        Raises:
            StripeUnreachable: no answer, a 5xx, a 409 or a 429: ask again later.
            StripeRefused: no such endpoint, or the key may not use it.
        """
        options = {"stripe_account": account_id} if account_id else {}
        start = self._clock.monotonic_seconds()
        try:
            response = self._client.raw_request("get", path, **options)
        except stripe.StripeError as error:
            elapsed = self._clock.monotonic_seconds() - start
            return _gone(error, object_name, object_id, elapsed)
        elapsed = self._clock.monotonic_seconds() - start
        body = response.body.encode()
        return Retrieved(
            body=body,
            observed_second=_observed_second(dict(response.headers), elapsed),
            gone=msgspec.json.decode(body, type=_Shown).deleted is True,
        )


class _Shown(msgspec.Struct):
    deleted: bool | None = None


def _gone(
    error: stripe.StripeError, object_name: str, object_id: str, elapsed: float
) -> Retrieved:
    """What a refused request says: that the object is gone, or nothing at all."""
    status = error.http_status
    if status == HTTPStatus.NOT_FOUND and error.code == "resource_missing":
        body = {"id": object_id, "object": object_name, "deleted": True}
        return Retrieved(
            body=msgspec.json.encode(body),
            observed_second=_observed_second(dict(error.headers or {}), elapsed),
            gone=True,
        )
    if status in _PERMANENT:
        raise StripeRefused(_PERMANENT[HTTPStatus(status)]) from error
    raise StripeUnreachable(f"Stripe did not show the object: {type(error).__name__}") from error


def _observed_second(headers: dict[str, str], elapsed: float) -> int:
    """The second of Stripe's clock in which the object was read, at the earliest.

    Raises:
        StripeUnreachable: the answer has no usable `Date`, so that it proves nothing.
    """
    date = {name.lower(): value for name, value in headers.items()}.get("date", "")
    try:
        said = parsedate_to_datetime(date).timestamp()
    except ValueError as error:
        raise StripeUnreachable("Stripe's answer has no usable Date header.") from error
    return math.floor(said - elapsed)


_PERMANENT: Final = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
}
