"""What a backfill asks Stripe: a page of a list, the lists of one object, a single object."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from producer.backfill_items import Item
from producer.backfill_plan import Single
from producer.backfill_ready import Place
from producer.backfill_state import OpenPage, Reading, Root
from producer.backfill_windows import Window
from producer.belonging import belonging
from producer.endpoint_names import endpoint_name
from producer.full_lists import completed, truncated_address
from producer.rate_bucket import Purpose
from producer.stripe_api import Page, Retrieved, StripeApi, expansion

ELEMENTS_PER_PAGE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An object whose lists are to be read to their end.

    Attributes:
        place: of the first request.
    """

    reading: Reading
    page: OpenPage
    body: bytes
    item: Item
    observed_second: int
    place: Place


Asked = Reading | Cut | Root
"""Whose answer is awaited: a reading's next page, an object's lists, a single object."""


class Questions:
    """Asks Stripe; used from many threads."""

    def __init__(self, *, api: StripeApi) -> None:
        self._api = api

    def page(self, reading: Reading, window: Window) -> Page:
        """The next page of a reading.

        Raises:
            StripeUnreachable: ask again later.
            StripeRefused: the list cannot be read.
        """
        endpoint = reading.listing.endpoint
        path = endpoint.path
        by_parent = {}
        if endpoint.parent_in_path:
            path = path.replace(f"{{{endpoint.parent_field}}}", quote(reading.parent_id, safe=""))
        elif endpoint.parent:
            by_parent[endpoint.parent_field] = reading.parent_id
        page = self._api.page(
            path=path,
            parameters={
                **({"limit": str(ELEMENTS_PER_PAGE)} if endpoint.paged else {}),
                **by_parent,
                **reading.listing.parameters,
                **window.parameters(),
                **expansion([f"data.{field}" for field in endpoint.expand]),
            },
            account_id=reading.root.account.account_id,
            purpose=Purpose.BACKGROUND,
        )
        if not endpoint.parent_untold:
            return page
        items = tuple(belonging(body, reading.parent_id) for body in page.items)
        return replace(page, items=items)

    def whole(self, cut: Cut) -> bytes:
        """The object with its lists whole.

        Raises:
            StripeUnreachable: ask again later.
            StripeRefused: a list cannot be read.
        """

        def read_page(address: str, parameters: Mapping[str, str]) -> Page:
            return self._api.page(
                path=address,
                parameters=parameters,
                account_id=cut.reading.root.account.account_id,
                purpose=Purpose.BACKGROUND,
            )

        return completed(cut.body, read_page)

    def single(self, root: Root, source: Single) -> Retrieved:
        """The only object of its type.

        Raises:
            StripeUnreachable: ask again later.
            StripeRefused: it cannot be read.
        """
        return self._api.retrieve(
            path=source.path,
            object_name=source.object_name,
            object_id=source.object_name,
            account_id=root.account.account_id,
            purpose=Purpose.BACKGROUND,
        )


def object_name_of(asked: Asked) -> str:
    """The type that a question is about."""
    if isinstance(asked, Cut):
        return asked.reading.listing.object_name
    return asked.listing.object_name if isinstance(asked, Reading) else asked.source.object_name


def place_of(reading: Reading) -> Place:
    """Where Stripe counts its requests."""
    return reading.root.account.account_id, endpoint_name(reading.listing.endpoint.path)


def place_of_lists(body: bytes, account_id: str) -> Place:
    """Where Stripe counts the first request for the lists of an object that go on."""
    return account_id, endpoint_name(truncated_address(body).partition("?")[0])
