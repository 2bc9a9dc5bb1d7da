"""Stripe lists the newest event first; what comes out is everything, oldest first, in slices."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from producer.errors import LimiterStopped, StripeUnreachable
from producer.event_list import PAGE_EVENTS, EventList, Slice
from tests.poller.listed_events import NOW, ListedEvents, number_of

SPAN_SECONDS = 40
SECONDS = some.lists(some.integers(NOW - SPAN_SECONDS, NOW), max_size=60)


def _slices(
    listed: ListedEvents, *, since: int = 0, known: frozenset[str] = frozenset(), most: int = 5_000
) -> list[Slice]:
    events = EventList(api=listed, may_go_on=lambda: True, slice_events_max=most)
    return list(events.slices("", since=since, known=known.__contains__))


def _list_of(seconds: list[int], *, page_events_max: int = PAGE_EVENTS) -> ListedEvents:
    listed = ListedEvents(page_events_max=page_events_max)
    for number, second in enumerate(seconds):
        listed.add(number, second=second)
    return listed


def _numbers(slices: list[Slice]) -> list[int]:
    return [number_of(event.body) for part in slices for event in part.events]


@given(seconds=SECONDS, since=some.integers(NOW - SPAN_SECONDS - 2, NOW + 1))
def test_everything_since_a_second_comes_oldest_first_and_once(
    seconds: list[int], since: int
) -> None:
    made = sorted(enumerate(seconds), key=lambda event: event[1])

    slices = _slices(_list_of(seconds, page_events_max=3), since=since)

    assert _numbers(slices) == [number for number, second in made if second >= since]


@given(seconds=SECONDS, most=some.integers(1, 8), spread=some.sampled_from([1, 7, 1_000]))
def test_slices_hold_no_more_than_they_may_but_what_one_second_holds(
    seconds: list[int], most: int, spread: int
) -> None:
    seconds = sorted(NOW - (NOW - second) * spread for second in seconds)

    listed = _list_of(seconds, page_events_max=2)
    slices = _slices(listed, since=min(seconds, default=NOW) - 5, most=most)

    assert _numbers(slices) == list(range(len(seconds)))
    for part in slices:
        assert len(part.events) <= most or len({event.second for event in part.events}) == 1
    ends = [part.complete_before for part in slices]
    assert ends == sorted(ends)
    assert ends[-1] == NOW
    for part, begins in zip(slices[1:], ends, strict=False):
        assert all(event.second >= begins for event in part.events)


def test_a_list_of_many_pages_is_walked_to_its_end() -> None:
    count = 7 * PAGE_EVENTS + 3
    listed = _list_of([NOW - 5_000 + number for number in range(count)])

    assert _numbers(_slices(listed)) == list(range(count))
    assert len(listed.asked) == 8


def test_what_is_known_is_counted_and_left_out() -> None:
    listed = _list_of([NOW - 9, NOW - 8, NOW - 7])

    (part,) = _slices(listed, known=frozenset({"evt_0", "evt_2"}))

    assert [event.event_id for event in part.events] == ["evt_1"]
    assert part.repeated == 2


def test_known_events_do_not_fill_a_slice() -> None:
    listed = _list_of([NOW - 500 + number for number in range(300)])
    known = frozenset(f"evt_{number}" for number in range(295))

    (part,) = _slices(listed, known=known, most=5)

    assert len(part.events) == 5


def test_the_second_that_runs_is_never_complete() -> None:
    listed = _list_of([NOW, NOW, NOW, NOW])

    slices = _slices(listed, since=NOW, most=1)

    assert {part.complete_before for part in slices} == {NOW}


def test_a_stop_ends_the_walk_between_two_pages() -> None:
    listed = _list_of([NOW - 1] * (3 * PAGE_EVENTS))
    events = EventList(api=listed, may_go_on=lambda: len(listed.asked) < 2)

    with pytest.raises(LimiterStopped):
        list(events.slices("", since=0, known=lambda _id: False))

    assert len(listed.asked) == 2


@pytest.mark.parametrize("item", [{"object": "event"}, [], {"id": "evt_1", "created": "today"}])
def test_what_is_no_event_is_asked_for_again_later(item: object) -> None:
    listed = ListedEvents(events={"": [(NOW, json.dumps(item).encode())]})

    with pytest.raises(StripeUnreachable):
        _slices(listed)
