"""Lists that change while they are read, and those that are not strictly in the order of age."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from producer.errors import StripeRefused
from producer.rate_bucket import Purpose
from producer.rate_limit import AllowedRates, RateLimiter
from producer.stripe_api import Page, StripeApi
from runtime.clock import SystemClock
from tests.backfill.test_nothing_is_lost import Cursors, Inbox, Runs

NOW = 1_800_000_000
LONG_AGO = 1_400_000_000
"""In the older half of the time since Stripe began."""
AWAIT_SECONDS_MAX = 60.0


@dataclass(slots=True)
class Shelf:
    """One list of Stripe's in a fixed order, whatever the ages of its objects.

    Attributes:
        object_name: what it lists.
        items: id and `created`, as they are listed.
        before: is called with the parameters of each request, before it is answered.
        gone: ids that were deleted: no cursor of theirs is taken.
    """

    object_name: str
    items: list[tuple[str, int]]
    before: Callable[[Mapping[str, str]], None] = lambda _parameters: None
    gone: set[str] = field(default_factory=set)
    asked: int = 0

    def page(
        self, *, path: str, parameters: Mapping[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        assert (account_id, purpose) == ("", Purpose.BACKGROUND)
        assert path
        self.asked += 1
        self.before(parameters)
        after = parameters.get("starting_after")
        if after in self.gone:
            raise StripeRefused("bad_request", said=f"No such object: {after}")
        names = [name for name, _created in self.items]
        rest = self.items[names.index(after) + 1 :] if after else self.items
        since = int(parameters.get("created[gte]", 0))
        until = int(parameters.get("created[lt]", 2**40))
        found = [one for one in rest if one[0] not in self.gone and since <= one[1] < until]
        shown = found[:100]
        return Page(
            items=tuple(self._body(name, created) for name, created in shown),
            last_id=shown[-1][0] if shown else "",
            has_more=len(found) > len(shown),
            observed_second=NOW,
        )

    def _body(self, name: str, created: int) -> bytes:
        body: dict[str, Any] = {"id": name, "object": self.object_name, "livemode": False}
        return json.dumps({**body, "created": created}).encode()


@pytest.fixture
def run() -> Callable[[Shelf], list[str]]:
    def run(shelf: Shelf) -> list[str]:
        allowed = AllowedRates(account_per_second=10_000.0, endpoint_per_second=10_000.0)
        limiter, inbox = RateLimiter(clock=SystemClock(), allowed=allowed), Inbox()
        runs = Runs(cast("StripeApi", shelf), limiter)
        assert runs.run([shelf.object_name], inbox=inbox, cursors=Cursors())
        return inbox.held

    return run


def test_a_page_that_was_on_its_way_when_its_window_was_split_hides_nothing_behind_it(
    run: Callable[[Shelf], list[str]],
) -> None:
    # The third page leaves the newer half; behind it stands one that belongs there.
    order = [NOW - number for number in range(250)] + [LONG_AGO - number for number in range(60)]
    order[300] = NOW - 1_000
    items = [(f"coupon_{number}", created) for number, created in enumerate(order)]
    split = threading.Event()

    def before(parameters: Mapping[str, str]) -> None:
        if "created[lt]" in parameters:
            split.set()
        elif parameters.get("starting_after") == "coupon_199":
            assert split.wait(AWAIT_SECONDS_MAX)

    held = run(Shelf("coupon", items, before=before))

    assert split.is_set()
    assert {name for name, _created in items} <= set(held)


@pytest.mark.parametrize("times", [1, 15, 25])
def test_a_list_without_ages_whose_cursors_vanish_is_read_to_its_end(
    run: Callable[[Shelf], list[str]], times: int
) -> None:
    items = [(f"plink_{number}", NOW - number) for number in range(4_000)]
    shelf = Shelf("payment_link", items)

    def before(parameters: Mapping[str, str]) -> None:
        after = parameters.get("starting_after")
        # Each second one that is used, a few pages into the list.
        if after and shelf.asked > 4 and shelf.asked % 2 and len(shelf.gone) < times:
            shelf.gone.add(after)

    shelf.before = before

    held = run(shelf)

    assert {name for name, _created in items} - shelf.gone <= set(held)
    assert len(shelf.gone) == times
    # From the page before, not from the beginning.
    assert shelf.asked <= 41 + 3 * times


def test_where_all_cursors_that_are_known_are_gone_it_is_read_from_its_beginning(
    run: Callable[[Shelf], list[str]],
) -> None:
    items = [(f"plink_{number}", NOW - number) for number in range(2_000)]
    shelf = Shelf("payment_link", items)
    last = items[1_899][0]

    def before(parameters: Mapping[str, str]) -> None:
        if parameters.get("starting_after") == last:
            shelf.gone |= {items[100 * page - 1][0] for page in range(1, 20)}

    shelf.before = before

    assert {name for name, _created in items} - shelf.gone <= set(run(shelf))
