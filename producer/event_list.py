"""Reads `/v1/events`, which shows the newest first, in slices that are given oldest first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

from producer.errors import LimiterStopped, StripeUnreachable
from producer.rate_bucket import Purpose
from producer.stripe_api import Page

PATH: Final = "/v1/events"
PAGE_EVENTS: Final = 100
SLICE_EVENTS_MAX: Final = 2_000
"""New events of an account held in memory, some 12 MB; those of one second are never parted."""


class Pages(Protocol):
    """What is needed of Stripe."""

    def page(
        self, *, path: str, parameters: dict[str, str], account_id: str, purpose: Purpose
    ) -> Page:
        """One page of a list."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEvent:
    """One event as Stripe lists it."""

    event_id: str
    second: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The new events of a span of time, oldest first.

    Attributes:
        complete_before: second before which Stripe has listed everything, in this slice and
            those before it.
        now: of Stripe's clock.
        repeated: events that were known already and are not in here.
    """

    events: tuple[ListedEvent, ...]
    complete_before: int
    now: int
    repeated: int


class EventList:
    """The events of one account at a time.

    Args:
        may_go_on: asked before each request; false ends the reading with `LimiterStopped`.
    """

    def __init__(
        self,
        *,
        api: Pages,
        may_go_on: Callable[[], bool],
        slice_events_max: int = SLICE_EVENTS_MAX,
    ) -> None:
        self._api = api
        self._may_go_on = may_go_on
        self._slice_events_max = slice_events_max

    def now_second(self, account_id: str) -> int:
        """The second of Stripe's clock.

        Raises:
            StripeUnreachable: no answer; ask again later.
            StripeRefused: the key may not read this account's events.
        """
        return self._page(account_id, {"limit": "1"}).observed_second

    def slices(
        self, account_id: str, *, since: int, known: Callable[[str], bool]
    ) -> Iterator[Slice]:
        """Everything from a second until now that is not known, oldest slice first.

        Args:
            account_id: the connected account, empty for the merchant's own.
            since: the first second.
            known: whether the event of that id was written already.

        Raises:
            StripeUnreachable: no answer; ask again later.
            StripeRefused: the key may not read this account's events.
        """
        before: int | None = None
        while True:
            reading = self._read(account_id, since, before, known)
            if reading.is_too_much:
                # As long as what was held when it became too much: a busy time has shorter ones.
                before = since + max(1, reading.reached_span)
                continue
            yield Slice(
                events=tuple(reversed(reading.events)),
                # The second that runs now is not complete, wherever the slice ends.
                complete_before=min(reading.end, reading.now),
                now=reading.now,
                repeated=reading.repeated,
            )
            if before is None:
                return
            since, before = before, _wider(since, before, now=reading.now)

    def _read(
        self, account_id: str, since: int, before: int | None, known: Callable[[str], bool]
    ) -> "_Reading":
        """Walk back from `before`, or from now, to `since`."""
        parameters = {"limit": str(PAGE_EVENTS), "created[gte]": str(since)}
        if before is not None:
            parameters["created[lt]"] = str(before)
        page = self._page(account_id, parameters)
        reading = _Reading(
            since=since,
            end=page.observed_second if before is None else before,
            now=page.observed_second,
            # A second cannot be cut.
            events_max=self._slice_events_max if before is None or before - since > 1 else None,
        )
        while True:
            reading.take(page.items, known)
            if not page.has_more or reading.is_too_much:
                return reading
            page = self._page(account_id, {**parameters, "starting_after": page.last_id})

    def _page(self, account_id: str, parameters: dict[str, str]) -> Page:
        if not self._may_go_on():
            raise LimiterStopped("The poller ends.")
        return self._api.page(
            path=PATH, parameters=parameters, account_id=account_id, purpose=Purpose.BACKGROUND
        )


class _Reading:
    """One walk back through the list."""

    def __init__(self, *, since: int, end: int, now: int, events_max: int | None) -> None:
        self.since = since
        self.end = end
        self.now = now
        self.events: list[ListedEvent] = []
        self.repeated = 0
        self._events_max = events_max
        self._reached = end

    @property
    def is_too_much(self) -> bool:
        """Whether it holds more than it may."""
        return self._events_max is not None and len(self.events) > self._events_max

    @property
    def reached_span(self) -> int:
        """Seconds of what it holds; a whole slice is never shorter than its span."""
        # At least one less than the slice, or the next try would be the same one.
        return min(self.end - self._reached, self.end - self.since - 1)

    def take(self, items: tuple[bytes, ...], known: Callable[[str], bool]) -> None:
        for body in items:
            try:
                listed = _LISTED.decode(body)
            except msgspec.DecodeError as error:
                raise StripeUnreachable("Stripe listed something else than events.") from error
            self._reached = min(self._reached, listed.created)
            if known(listed.id):
                self.repeated += 1
            else:
                self.events.append(
                    ListedEvent(event_id=listed.id, second=listed.created, body=body)
                )


def _wider(since: int, before: int, *, now: int) -> int | None:
    """The end of the next slice, twice as long; none once it would reach the present."""
    end = before + 2 * (before - since)
    return end if end < now else None


class _Listed(msgspec.Struct, gc=False):
    id: str
    created: int


_LISTED: Final = msgspec.json.Decoder(_Listed)
