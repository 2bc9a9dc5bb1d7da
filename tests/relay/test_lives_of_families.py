"""For every life of a parent, however its events arrive: its children are what it showed last."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.compiled import QuickCandidate
from producer.deciding import Decider
from producer.families import Families
from producer.observation import Observation
from producer.order import Entry
from producer.owned import Lost
from producer.preparing import Preparer
from producer.reading import InboxRecord
from producer.record import Change
from schemas.inbox import Evidence, Source
from schemas.meta import Operation
from schemas.objects import load_catalogue
from tests.relay.inbox_writer import FIRST_SECOND, Sent, event, snapshot
from tests.relay.stripe_server import listed
from tests.relay.two_ways import NEEDS_COMPILED, both_ways

PARENTS = ("sub_1", "sub_2")
ITEMS = tuple(f"si_{number}" for number in range(4))
SHOWN_MAX = 2
"""Stripe shows so many items in an event's body; the others are in the list."""

Items = Mapping[str, int]
"""The quantity of each item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """The lives of some subscriptions.

    Attributes:
        events: of all of them.
        states: second -> the items of each subscription by then.
    """

    events: list[Sent]
    states: list[dict[str, Items]]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Subscriptions that get and lose items; none has the other's."""
    state: dict[str, Items] = {parent: {} for parent in PARENTS}
    events, states = [], []
    for second in range(1, 6):
        for parent in PARENTS:
            if draw(st.booleans()):
                names = draw(st.sets(st.sampled_from(ITEMS)))
                items = {f"{parent}_{name}": draw(st.integers(1, 2)) for name in sorted(names)}
                state = {**state, parent: items}
                events.append(_event(parent, second, items))
        states.append(state)
    return Life(events=events, states=states)


def _event(parent: str, second: int, items: Items) -> Sent:
    shown = [_item(name, quantity) for name, quantity in items.items()]
    page = listed(shown[:SHOWN_MAX], has_more=len(shown) > SHOWN_MAX)
    return event(f"evt_{parent}_{second}", parent, second=second, items=page, status=str(second))


def _item(name: str, quantity: int) -> dict[str, Any]:
    return {"id": name, "object": "subscription_item", "quantity": quantity}


@dataclass(slots=True)
class Memory:
    """What the relay's memory would know."""

    known: dict[str, Entry] = field(default_factory=dict)

    def entries(self, names: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """As `Partitions` does."""
        wanted = set(itertools.chain.from_iterable(names.values()))
        return {name: entry for name, entry in self.known.items() if name in wanted}

    def children(self, parents: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """As `Partitions` does."""
        wanted = set(itertools.chain.from_iterable(parents.values()))
        return {
            name: entry
            for name, entry in self.known.items()
            if entry.parent in wanted and entry.operation is not Operation.DELETED
        }


class Published:
    """A relay without Kafka: what it publishes of parents and children, batch by batch."""

    def __init__(self, life: Life, *, fetches: bool, delays: Sequence[int] = (0,)) -> None:
        self._life = life
        self._fetches = fetches
        self._memory = Memory()
        self._preparer = Preparer(catalogue=load_catalogue())
        self._decider = Decider(
            last_half=lambda _candidate, _entry: None,
            read_again=lambda _entry: None,
            may_fetch=fetches,
        )
        self._families = Families(
            children=self._preparer.children,
            last_halves=self._last_halves,
            may_fetch=fetches,
        )
        self._offset = 0
        self._delays = itertools.cycle(delays)
        self.changes: list[Change | QuickCandidate] = []
        self.asked: Counter[tuple[str, str]] = Counter()

    def relay(self, batch: Sequence[Sent]) -> None:
        """Everything that follows from a batch, fetched parents included."""
        pending = list(batch)
        while pending:
            records = [self._record(sent) for sent in pending]
            prepared = self._preparer.prepare(records, self._memory.entries)
            assert not prepared.dead
            outcome = self._decider.decide(
                prepared.candidates, prepared.entries, busy=(), in_step=self._families.in_step
            )
            assert not outcome.to_fetch
            family = self._families.decide(outcome.changes, outcome.unchanged, self._memory)
            assert self._fetches or not family.wanted
            published: list[Change | QuickCandidate] = [*outcome.followers, *outcome.changes]
            for change in [*published, *family.changes]:
                self._memory.known[change.name] = change.entry
                self.changes.append(change)
            pending = [self._fetched(one.by) for one in family.wanted.values()]

    def lose_children(self) -> None:
        """Forget them as a relay does that finds their topic made anew."""
        known = self._memory.known
        for name in [name for name, entry in known.items() if entry.parent]:
            del known[name]
        self._families.forget()

    def children(self) -> dict[str, Change | QuickCandidate]:
        """The last change of each child that lives, by id."""
        last = {change.observation.key: change for change in self.changes if change.entry.parent}
        return {
            key: change
            for key, change in last.items()
            if change.entry.operation is not Operation.DELETED
        }

    def quantities(self, child: str = "subscription_item") -> dict[str, int]:
        """The children as a subscriber knows them."""
        codec = self._preparer.tools(child).half_codec
        return {
            key: codec.decode_one(change.half)["quantity"]
            for key, change in self.children().items()
        }

    def _record(self, sent: Sent) -> InboxRecord:
        self._offset += 1
        return InboxRecord(
            key=sent.key.encode(),
            value=sent.value,
            headers=sent.envelope.headers(),
            partition=0,
            offset=self._offset,
        )

    def _fetched(self, wanted: Observation) -> Sent:
        """What Stripe shows some seconds after the wish: all that was so before."""
        asked = wanted.second - FIRST_SECOND + 1 + next(self._delays)
        state = self._life.states[min(asked - 1, len(self._life.states)) - 1]
        self.asked[wanted.key, wanted.event_id] += 1
        if wanted.object_name == "checkout.session":
            return _session_snapshot(wanted.key, asked, state[wanted.key], fetched=True)
        shown = [_item(name, quantity) for name, quantity in state[wanted.key].items()]
        return snapshot(
            wanted.key,
            second=asked,
            evidence=Evidence.RETRIEVE,
            items=listed(shown),
            status="fetched",
        )

    def _last_halves(self, lost: Sequence[Lost]) -> list[bytes]:
        halves = {change.name: change.half for change in self.changes}
        return [halves[one.name] for one in lost]


@st.composite
def arrivals(draw: st.DrawFn, life: Life) -> list[list[Sent]]:
    """Every event at least once, some twice, in any order, in batches of any size."""
    twice = draw(st.lists(st.sampled_from(life.events), max_size=3)) if life.events else []
    order = draw(st.permutations([*life.events, *twice]))
    cuts = sorted(draw(st.sets(st.integers(0, len(order)), max_size=len(order))))
    edges = [0, *cuts, len(order)]
    return [list(order[start:end]) for start, end in itertools.pairwise(edges)]


@settings(max_examples=200)
@given(data=st.data(), life=lives(), delays=st.lists(st.integers(0, 3), min_size=1, max_size=4))
def test_any_permutation_and_duplication_of_a_parents_events_ends_in_its_children(
    data: st.DataObject, life: Life, delays: list[int]
) -> None:
    published = Published(life, fetches=True, delays=delays)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    expected = {
        name: quantity for items in life.states[-1].values() for name, quantity in items.items()
    }
    assert published.quantities() == expected


@st.composite
def sessions(draw: st.DrawFn) -> Life:
    """Checkout sessions whose lines only snapshots show; one line may move between them."""
    told = []
    for second in range(1, 6):
        for parent in ("cs_1", "cs_2"):
            if draw(st.booleans()):
                told.append(_session_event(parent, second))
            if draw(st.booleans()):
                names = draw(st.sets(st.sampled_from(("li_1", "li_2"))))
                told.append(
                    _session_snapshot(parent, second, dict.fromkeys(sorted(names), second))
                )
    return Life(events=told, states=[{}])


def _session_event(parent: str, second: int) -> Sent:
    return event(
        f"evt_{parent}_{second}",
        parent,
        second=second,
        kind="checkout.session.completed",
        object_name="checkout.session",
    )


def _session_snapshot(parent: str, second: int, items: Items, *, fetched: bool = False) -> Sent:
    lines = [{"id": name, "object": "item", "quantity": many} for name, many in items.items()]
    sent = snapshot(
        parent, second=second, object_name="checkout.session", line_items=listed(lines)
    )
    source = Source.REFETCH if fetched else Source.BACKFILL
    return replace(sent, envelope=replace(sent.envelope, source=source))


@st.composite
def told_sessions(draw: st.DrawFn) -> Life:
    """Checkout sessions whose events show no lines; a backfill may have read some before."""
    sessions_of = ("cs_1", "cs_2")
    state: dict[str, Items] = {key: {} for key in sessions_of}
    told, states = [], []
    for second in range(1, 6):
        for parent in sessions_of:
            if draw(st.booleans()):
                names = sorted(draw(st.sets(st.sampled_from(("a", "b", "c")))))
                items = {f"{parent}_{name}": draw(st.integers(1, 2)) for name in names}
                if draw(st.booleans()):
                    told.append(_session_snapshot(parent, second, state[parent]))
                state = {**state, parent: items}
                told.append(_session_event(parent, second))
        states.append(state)
    return Life(events=told, states=states)


@settings(max_examples=200)
@given(
    data=st.data(),
    life=told_sessions(),
    delays=st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
def test_children_that_no_event_shows_are_in_the_end_what_their_parents_have(
    data: st.DataObject, life: Life, delays: list[int]
) -> None:
    published = Published(life, fetches=True, delays=delays)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    expected = {
        name: quantity for items in life.states[-1].values() for name, quantity in items.items()
    }
    assert published.quantities("item") == expected
    of_events = {place: times for place, times in published.asked.items() if place[1]}
    assert set(of_events.values()) <= {1}


@settings(max_examples=400)
@given(data=st.data(), life=sessions())
def test_snapshots_that_only_bring_children_keep_them_in_order(
    data: st.DataObject, life: Life
) -> None:
    published = Published(life, fetches=False)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    assert_strictly_increasing(published.changes)


def assert_strictly_increasing(changes: Sequence[Change | QuickCandidate]) -> None:
    by_name: dict[str, list[int]] = {}
    for change in changes:
        by_name.setdefault(change.name, []).append(change.entry.event_at)
    for places in by_name.values():
        assert places == sorted(set(places))


@settings(max_examples=200)
@given(data=st.data(), life=lives(), fetches=st.booleans())
def test_event_at_of_each_child_strictly_increases_whatever_arrives(
    data: st.DataObject, life: Life, fetches: bool
) -> None:
    published = Published(life, fetches=fetches)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    assert_strictly_increasing(published.changes)


@NEEDS_COMPILED
@settings(deadline=None, max_examples=200)
@given(data=st.data(), life=lives(), fetches=st.booleans())
def test_from_an_event_that_simply_follows_nothing_follows_for_children(
    data: st.DataObject, life: Life, fetches: bool
) -> None:
    batches = data.draw(arrivals(life))

    def run() -> Any:
        published = Published(life, fetches=fetches)
        for batch in batches:
            published.relay(batch)
        changes = [(one.name, one.entry, one.half) for one in published.changes]
        # Of different objects the order does not matter.
        return sorted(changes, key=itemgetter(0)), published.asked

    quick, long = both_ways(run)
    assert quick == long


@settings(max_examples=200)
@given(data=st.data(), life=lives())
def test_no_child_is_deleted_but_by_a_whole_list_that_lacks_it(
    data: st.DataObject, life: Life
) -> None:
    published = Published(life, fetches=False)
    for batch in data.draw(arrivals(life)):
        published.relay(batch)
    whole = {
        (parent, second): items
        for second, state in enumerate(life.states, start=1)
        for parent, items in state.items()
        if len(items) <= SHOWN_MAX
    }
    for change in published.changes:
        if change.entry.parent and change.entry.operation is Operation.DELETED:
            parent = change.entry.parent.partition(":")[2]
            told = whole[parent, change.entry.second - FIRST_SECOND]
            assert change.observation.key not in told


@settings(max_examples=100)
@given(data=st.data(), life=lives())
def test_children_that_come_again_publish_nothing(data: st.DataObject, life: Life) -> None:
    published = Published(life, fetches=True)
    batches = data.draw(arrivals(life))
    for batch in batches:
        published.relay(batch)
    before = len(published.changes)
    for batch in batches:
        published.relay(batch)
    assert len(published.changes) == before


def test_children_that_are_missing_come_back_with_the_next_reading_of_their_parent() -> None:
    life = Life(events=[], states=[{}])
    published = Published(life, fetches=False)
    published.relay([_reading(second=1)])
    published.lose_children()
    published.relay([_reading(second=5)])
    assert [change.name for change in published.changes] == [
        "subscription:sub_1",
        "subscription_item:si_1",
        "subscription_item:si_1",
    ]


def _reading(*, second: int) -> Sent:
    return snapshot("sub_1", second=second, items=listed([_item("si_1", 1)]))


def test_each_child_names_its_parent_and_comes_after_it() -> None:
    life = Life(events=[], states=[{}])
    published = Published(life, fetches=False)
    published.relay([_event("sub_1", 1, {"si_1": 1})])
    parent, child = published.changes
    assert (parent.name, child.entry.parent) == ("subscription:sub_1", "subscription:sub_1")
    assert child.entry.event_at == parent.entry.event_at
    assert msgspec.json.decode(parent.observation.body)["id"] == "sub_1"
