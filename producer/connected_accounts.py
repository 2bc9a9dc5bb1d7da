"""The connected accounts of a platform, by their ids."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from producer.errors import StripeUnreachable
from producer.rate_bucket import Purpose
from producer.stripe_api import Page
from runtime.clock import Clock

PATH: Final = "/v1/accounts"
PAGE_ACCOUNTS: Final = 100
LISTED_SECONDS: Final = 300.0
"""How long a list is good; the overlap with which a new account is polled first is no shorter."""
OWN: Final = ""


class Pages(Protocol):
    """What is needed of Stripe."""

    def page(
        self, *, path: str, parameters: Mapping[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        """One page of a list."""
        ...


def connected_accounts(api: Pages) -> Iterator[str]:
    """The id of each connected account, newest first.

    Raises:
        StripeUnreachable: no answer; ask again later.
        StripeRefused: the key may not read them, or the account is no platform.
    """
    after: dict[str, str] = {}
    while True:
        page = api.page(
            path=PATH,
            parameters={"limit": str(PAGE_ACCOUNTS), **after},
            account_id="",
            purpose=Purpose.BACKGROUND,
        )
        for item in page.items:
            try:
                yield _ACCOUNT.decode(item).id
            except msgspec.DecodeError as error:
                raise StripeUnreachable("Stripe listed something else than accounts.") from error
        if not page.has_more:
            return
        after = {"starting_after": page.last_id}


class CurrentAccounts:
    """The merchant's own account and the connected ones, listed anew now and then."""

    def __init__(self, api: Pages, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._known: list[str] = []
        self._listed_at = 0.0

    def __call__(self) -> Sequence[str]:
        """Ids; empty for the merchant's own, which is the first.

        Raises:
            StripeUnreachable: no answer; ask again later.
            StripeRefused: the key may not read them, or the account is no platform.
        """
        now = self._clock.monotonic_seconds()
        if not self._known or now - self._listed_at >= LISTED_SECONDS:
            self._known = [OWN, *connected_accounts(self._api)]
            self._listed_at = now
        return self._known


class _Account(msgspec.Struct, gc=False):
    id: str


_ACCOUNT: Final = msgspec.json.Decoder(_Account)
