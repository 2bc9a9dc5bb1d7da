"""The connected accounts of a platform, by their ids."""

from collections.abc import Iterator, Mapping
from typing import Final, Protocol

import msgspec

from producer.errors import StripeUnreachable
from producer.rate_bucket import Purpose
from producer.stripe_api import Page

PATH: Final = "/v1/accounts"
PAGE_ACCOUNTS: Final = 100


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


class _Account(msgspec.Struct, gc=False):
    id: str


_ACCOUNT: Final = msgspec.json.Decoder(_Account)
