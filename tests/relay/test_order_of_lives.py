"""For every life of an object, however its events arrive: what is published last is the truth."""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from producer.compiled import QuickCandidate
from producer.deciding import Decider
from producer.order import DropReason, Entry
from producer.preparing import Candidate, Preparer
from producer.reading import InboxRecord
from producer.record import Change
from schemas.inbox import Evidence, Kind
from schemas.meta import Operation
from schemas.objects import load_catalogue
from tests.relay.histories import OBJECT_ID, Life, lives, retold
from tests.relay.inbox_writer import FIRST_SECOND, Sent, snapshot
from tests.relay.two_ways import NEEDS_COMPILED, both_ways


class Published:
    """A relay without Kafka: prepares and decides batch by batch, and keeps what it published."""

    def __init__(self, *, fetch: Callable[[int], Sent] | None, keeps_bodies: bool = True) -> None:
        self._preparer = Preparer(catalogue=load_catalogue())
        self._decider = Decider(
            last_half=lambda _candidate, _entry: None,
            read_again=self._read_again,
            may_fetch=fetch is not None,
        )
        self._fetch = fetch
        self._keeps_bodies = keeps_bodies
        self._inbox: list[InboxRecord] = []
        self._entries: dict[str, Entry] = {}
        self.changes: list[Change | QuickCandidate] = []
        self.dropped: Counter[DropReason] = Counter()

    def relay(self, batch: Sequence[Sent]) -> None:
        """Everything that follows from a batch, fetched objects included."""
        pending = list(batch)
        while pending:
            records = [self._record(sent) for sent in pending]
            prepared = self._preparer.prepare(records, self._known)
            assert not prepared.dead
            outcome = self._decider.decide(
                prepared.candidates, prepared.entries, busy=(), in_step={}
            )
            self._decider.settled(outcome.to_fetch, prepared.entries, outcome)
            self._entries |= outcome.entries
            self._entries |= {event.name: event.entry for event in outcome.followers}
            self.changes += outcome.followers
            self.changes += outcome.changes
            self.dropped += outcome.dropped + prepared.dropped
            assert self._fetch is not None or not outcome.to_fetch
            pending = [self._fetched(candidate) for candidate in outcome.to_fetch]
            if not self._keeps_bodies:
                self._decider.forget()

    @property
    def last(self) -> Change | QuickCandidate:
        """What stands last in the topic."""
        return self.changes[-1]

    def body(self) -> dict[str, Any] | None:
        """The object as a subscriber knows it; none if it is deleted."""
        if not self.changes or self.last.entry.operation is Operation.DELETED:
            return None
        found: dict[str, Any] = msgspec.json.decode(self.last.observation.body)
        if "tone" in found:
            found["flag"] = found.pop("tone")
        return {name: value for name, value in found.items() if name not in ("id", "object")}

    def _known(self, _names: Mapping[int, object]) -> dict[str, Entry]:
        return dict(self._entries)

    def _record(self, sent: Sent) -> InboxRecord:
        record = InboxRecord(
            key=sent.key.encode(),
            value=sent.value,
            headers=sent.envelope.headers(),
            partition=0,
            offset=len(self._inbox),
        )
        self._inbox.append(record)
        return record

    def _fetched(self, candidate: Candidate) -> Sent:
        assert self._fetch is not None
        return self._fetch(candidate.observation.second - FIRST_SECOND)

    def _read_again(self, entry: Entry) -> Candidate | None:
        return self._preparer.candidate(self._inbox[int(entry.inbox.partition(":")[2])])


def stripe_shows(life: Life, delays: Sequence[int]) -> Callable[[int], Sent]:
    """A Stripe that is asked some seconds after the event, and shows what was true by then."""
    left = list(delays)

    def fetch(second: int) -> Sent:
        asked = second + 1 + (left.pop() if left else 0)
        state = life.state_before(asked)
        if state is None:
            return snapshot(OBJECT_ID, second=asked, kind=Kind.GONE, object_name="coupon")
        return snapshot(
            OBJECT_ID, second=asked, evidence=Evidence.RETRIEVE, object_name="coupon", **state
        )

    return fetch


@st.composite
def arrivals(draw: st.DrawFn, life: Life) -> list[list[Sent]]:
    """Every event at least once, some twice, in any order, in batches of any size."""
    twice = draw(st.lists(st.sampled_from(life.events), max_size=3)) if life.events else []
    order = draw(st.permutations([*life.events, *twice]))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=len(order))))
    edges = [0, *cuts, len(order)]
    return [list(order[start:end]) for start, end in itertools.pairwise(edges)]


@settings(deadline=None, max_examples=400)
@given(data=st.data(), life=lives(), delays=st.lists(st.integers(0, 3), max_size=6))
@pytest.mark.parametrize("keeps_bodies", [True, False])
def test_any_permutation_and_duplication_of_an_objects_events_ends_in_the_truth(
    keeps_bodies: bool, data: st.DataObject, life: Life, delays: list[int]
) -> None:
    published = Published(fetch=stripe_shows(life, delays), keeps_bodies=keeps_bodies)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    assert published.body() == life.truth


@settings(deadline=None, max_examples=400)
@given(data=st.data(), told=lives(), delays=st.lists(st.integers(0, 3), max_size=6))
@pytest.mark.parametrize("keeps_bodies", [True, False])
def test_events_of_two_api_versions_and_of_thin_ones_end_in_the_truth(
    keeps_bodies: bool, data: st.DataObject, told: Life, delays: list[int]
) -> None:
    life = data.draw(retold(told))
    published = Published(fetch=stripe_shows(life, delays), keeps_bodies=keeps_bodies)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    assert published.body() == life.truth


@settings(deadline=None, max_examples=200)
@given(data=st.data(), life=lives(), fetches=st.booleans())
def test_event_at_strictly_increases_whatever_arrives(
    data: st.DataObject, life: Life, fetches: bool
) -> None:
    published = Published(fetch=stripe_shows(life, []) if fetches else None)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    places = [change.entry.event_at for change in published.changes]
    assert places == sorted(set(places))


@settings(deadline=None, max_examples=200)
@given(data=st.data(), life=lives())
def test_what_was_relayed_once_publishes_nothing_when_it_comes_again(
    data: st.DataObject, life: Life
) -> None:
    published = Published(fetch=stripe_shows(life, []))
    batches = data.draw(arrivals(life))
    for batch in batches:
        published.relay(batch)
    before = (published.body(), len(published.changes))
    for batch in batches:
        published.relay(batch)
    assert (published.body(), len(published.changes)) == before


@settings(deadline=None, max_examples=200)
@given(data=st.data(), life=lives())
def test_without_a_fetch_the_newest_second_still_wins(data: st.DataObject, life: Life) -> None:
    published = Published(fetch=None)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    if not life.events:
        assert not published.changes
        return
    # An update is no proof that a deleted object exists again, and there is nobody to ask: it is
    # lost, and counted, where it overtakes the event of the object's new beginning.
    lost = published.dropped[DropReason.DELETED_BEFORE] > 0
    seconds = [msgspec.json.decode(sent.value)["created"] for sent in life.events]
    if published.last.entry.operation is not Operation.DELETED and not lost:
        assert published.last.entry.second == max(seconds)


@NEEDS_COMPILED
@settings(deadline=None, max_examples=300)
@given(data=st.data(), life=lives(), delays=st.lists(st.integers(0, 3), max_size=6))
def test_events_that_simply_follow_are_published_as_all_others_are(
    data: st.DataObject, life: Life, delays: list[int]
) -> None:
    batches = data.draw(arrivals(life))

    def run() -> Any:
        published = Published(fetch=stripe_shows(life, delays))
        for batch in batches:
            published.relay(batch)
        # What was before may be written with other spaces.
        changes = [
            (one.name, one.entry, one.half, replace(one.observation, previous=b""))
            for one in published.changes
        ]
        # An old event that came twice is dropped for either reason.
        return changes, published.dropped.total()

    quick, long = both_ways(run)
    assert quick == long
