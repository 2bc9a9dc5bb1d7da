"""Asks Stripe for objects and pages of lists through its package's HTTP client, as bytes.

The package's own objects and even its raw responses hold every field as a Python value, which for
a page costs many times what reading it does (docs/decisions/0080-reading-stripe.md has figures).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec
import stripe

from producer.endpoint_names import endpoint_name
from producer.errors import RateLimited, StripeRefused, StripeUnreachable
from producer.full_lists import completed
from producer.rate_bucket import Purpose
from producer.rate_limit import RateLimiter
from runtime.clock import Clock

Shown = TypeVar("Shown")

STRIPE_BASE: Final = "https://api.stripe.com"
V2_PATH: Final = "/v2/"
"""Of Stripe's second API, which takes the account under another name."""
REQUEST_SECONDS_MAX: Final = 30.0
"""Without a byte; a page of large objects takes Stripe several seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """An object as Stripe showed it when it was asked for by id.

    Attributes:
        body: its JSON, embedded lists whole; of an object that does not exist only `id`,
            `object`, `deleted`.
        observed_second: of Stripe's clock: all that happened in earlier seconds is in the body.
    """

    body: bytes
    observed_second: int
    gone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list.

    Attributes:
        items: the JSON of each object as Stripe sent it, in Stripe's order.
        last_id: of the last object, for `starting_after`; empty if there is none.
        has_more: whether the list goes on.
        observed_second: of Stripe's clock: all that happened in earlier seconds is in the items.
    """

    items: tuple[bytes, ...]
    last_id: str
    has_more: bool
    observed_second: int


class StripeApi:
    """Stripe's API with one key, for any number of threads; each keeps a connection.

    Args:
        key: of Stripe; a restricted one needs read access to what is fetched.
        base: address of the API; empty for Stripe's own.
        limiter: is asked before each request and told of each 429.
    """

    def __init__(self, *, key: str, base: str, clock: Clock, limiter: RateLimiter) -> None:
        self._clock = clock
        self._limiter = limiter
        self._base = base.rstrip("/") or STRIPE_BASE
        self._headers = {
            "Authorization": f"Bearer {key}",
            # The schemas are made of the pinned package: its version is asked for.
            "Stripe-Version": stripe.api_version,
            "User-Agent": "stripeline",
        }
        # `request` never tries again by itself: that is the caller's, who knows how long it pays.
        self._client = stripe.RequestsClient(timeout=REQUEST_SECONDS_MAX)

    def retrieve(
        self,
        *,
        path: str,
        object_name: str,
        object_id: str,
        account_id: str,
        expand: Sequence[str] = (),
        whole: bool = True,
        purpose: Purpose = Purpose.URGENT,
    ) -> Retrieved:
        """The object at an address of the API, as it is now, with its embedded lists whole.

        Args:
            path: below the API's address.
            object_name: Stripe's name of the type.
            object_id: Stripe's id.
            account_id: the connected account, empty for the merchant's own.
            expand: fields that Stripe sends only on request.
            whole: whether lists are read to their end; not those in an event, which tells what
                was, while the rest of its list would be what is.
            purpose: of all requests that it takes.

        Raises:
            StripeUnreachable: no answer, a 5xx, a 409 or a 429: ask again later.
            StripeRefused: no such endpoint, or the key may not use it.
        """
        answer = self._get(path, expansion(expand), account_id=account_id, purpose=purpose)
        if answer.status == HTTPStatus.NOT_FOUND and answer.error().code == "resource_missing":
            gone = {"id": object_id, "object": object_name, "deleted": True}
            return Retrieved(
                body=msgspec.json.encode(gone), observed_second=answer.observed_second(), gone=True
            )
        answer.raise_refusal()
        observed_second = answer.observed_second()

        def read_page(address: str, parameters: Mapping[str, str]) -> Page:
            return self.page(
                path=address, parameters=parameters, account_id=account_id, purpose=purpose
            )

        return Retrieved(
            body=completed(answer.body, read_page) if whole else answer.body,
            observed_second=observed_second,
            gone=_decoded(answer.body, _OBJECT).deleted is True,
        )

    def page(
        self, *, path: str, parameters: Mapping[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        """One page of a list.

        Args:
            path: below the API's address; may hold parameters of its own after `?`.
            parameters: as Stripe names them, `created[gte]` and `expand[0]` among them.
            account_id: the connected account, empty for the merchant's own.
            purpose: who waits for it.

        Raises:
            RateLimited: a 429.
            StripeUnreachable: no answer, a 5xx, a 409: ask again later.
            StripeRefused: no such list, or the key may not read it.
        """
        answer = self._get(path, parameters, account_id=account_id, purpose=purpose)
        answer.raise_refusal()
        shown = _decoded(answer.body, _LIST)
        items = tuple(bytes(item) for item in shown.data)
        last_id = _decoded(items[-1], _OBJECT).id or "" if items else ""
        if shown.has_more and not last_id:
            raise StripeRefused("list_without_ids")
        return Page(
            items=items,
            last_id=last_id,
            has_more=shown.has_more,
            observed_second=answer.observed_second(),
        )

    def _get(
        self, path: str, parameters: Mapping[str, str], *, account_id: str, purpose: Purpose
    ) -> "_Answer":
        # Whatever else the path were, the key could go to another host.
        assert path.startswith("/"), path
        address, _, own = path.partition("?")
        query = "&".join(part for part in (own, urlencode(parameters)) if part)
        url = f"{self._base}{address}{'?' if query else ''}{query}"
        headers = self._headers
        if account_id:
            second_api = address.startswith(V2_PATH)
            header = "Stripe-Context" if second_api else "Stripe-Account"
            headers = {**headers, header: account_id}
        permit = self._limiter.acquire(
            account_id=account_id, endpoint=endpoint_name(address), purpose=purpose
        )
        start = self._clock.monotonic_seconds()
        try:
            body, status, received = self._client.request("get", url, headers)
        except stripe.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            raise StripeUnreachable(f"Stripe did not answer: {cause}") from error
        answer = _Answer(
            body=body,
            status=status,
            headers={name.lower(): value for name, value in received.items()},
            elapsed_seconds=self._clock.monotonic_seconds() - start,
        )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            reason = answer.headers.get("stripe-rate-limited-reason", "")
            self._limiter.refused(permit, reason=reason)
            raise RateLimited("Stripe wants fewer requests.")
        return answer


def expansion(fields: Sequence[str]) -> dict[str, str]:
    """The parameters that ask for fields which Stripe sends only on request."""
    return {f"expand[{place}]": field for place, field in enumerate(fields)}


class _Object(msgspec.Struct, gc=False):
    id: str | None = None
    deleted: bool | None = None


class _List(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    has_more: bool = False


class _Error(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None


class _Errors(msgspec.Struct, gc=False):
    error: _Error = msgspec.field(default_factory=_Error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What Stripe answered, whatever it was."""

    body: bytes
    status: int
    headers: Mapping[str, str]
    elapsed_seconds: float

    def error(self) -> _Error:
        """What the body says of an error; nothing where it is not Stripe's."""
        try:
            return msgspec.json.decode(self.body, type=_Errors).error
        except msgspec.DecodeError:
            return _Error()

    def raise_refusal(self) -> None:
        """Do nothing for a 200.

        Raises:
            StripeRefused: it will not change.
            StripeUnreachable: it may.
        """
        if self.status == HTTPStatus.OK:
            return
        if self.status in _PERMANENT:
            raise StripeRefused(
                _PERMANENT[HTTPStatus(self.status)], said=self.error().message or ""
            )
        raise StripeUnreachable(f"Stripe answered with the status {self.status}.")

    def observed_second(self) -> int:
        """The second of Stripe's clock in which this was read, at the earliest.

        Raises:
            StripeUnreachable: the answer has no usable `Date`, so that it proves nothing.
        """
        try:
            said = parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except ValueError as error:
            raise StripeUnreachable("Stripe's answer has no usable Date header.") from error
        return math.floor(said - self.elapsed_seconds)


def _decoded(body: bytes, decoder: msgspec.json.Decoder[Shown]) -> Shown:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise StripeUnreachable("Stripe's answer is not what was asked for.") from error


_OBJECT: Final = msgspec.json.Decoder(_Object)
_LIST: Final = msgspec.json.Decoder(_List)

_PERMANENT: Final = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
}
