"""A list of events that pages as Stripe's does, without a network."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from producer.event_list import PATH
from producer.rate_bucket import Purpose
from producer.stripe_api import Page

NOW = 1_800_000_000


def told(number: int, *, second: int, account: str = "", livemode: bool = False) -> bytes:
    """The event of that number: each is about a customer of its own."""
    event = {
        "id": f"evt_{number}",
        "object": "event",
        "created": second,
        "data": {"object": {"id": f"cus_{number}", "object": "customer"}},
        "livemode": livemode,
        "type": "customer.updated",
        **({"account": account} if account else {}),
    }
    return json.dumps(event).encode()


def number_of(body: bytes) -> int:
    """The number of an event."""
    return int(json.loads(body)["id"].removeprefix("evt_"))


@dataclass(slots=True)
class ListedEvents:
    """Stripe's list, of one account or of several.

    Attributes:
        events: (second, body) in the order in which they were made, by account.
        now: the second of the clock.
        failures: errors to be raised by the next requests of an account, one each.
        asked: the parameters of each request.
        page_events_max: of a page, however many are asked for.
    """

    events: dict[str, list[tuple[int, bytes]]] = field(default_factory=lambda: {"": []})
    now: int = NOW
    failures: dict[str, list[Exception | None]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    page_events_max: int = 100

    def add(
        self, number: int, *, second: int, account_id: str = "", livemode: bool = False
    ) -> None:
        """One more event."""
        body = told(number, second=second, livemode=livemode)
        self.events.setdefault(account_id, []).append((second, body))

    def page(
        self, *, path: str, parameters: Mapping[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        """One page, newest first."""
        assert path == PATH
        assert purpose is Purpose.BACKGROUND
        self.asked.append(dict(parameters))
        failures = self.failures.get(account_id, [])
        if failures and (failure := failures.pop(0)) is not None:
            raise failure
        since = int(parameters.get("created[gte]", 0))
        before = int(parameters.get("created[lt]", 2**40))
        made = sorted(self.events[account_id], key=lambda event: event[0])
        newest_first = [body for second, body in reversed(made) if since <= second < before]
        after = parameters.get("starting_after")
        if after is not None:
            at = [_id(body) for body in newest_first].index(after)
            newest_first = newest_first[at + 1 :]
        limit = min(int(parameters["limit"]), self.page_events_max)
        shown = newest_first[:limit]
        return Page(
            items=tuple(shown),
            last_id=_id(shown[-1]) if shown else "",
            has_more=len(newest_first) > limit,
            observed_second=self.now,
        )


def _id(body: bytes) -> str:
    parsed = json.loads(body)
    return str(parsed.get("id", "")) if isinstance(parsed, dict) else ""
