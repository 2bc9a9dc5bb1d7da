"""The order of one object's changes: what an observation means for what was published last.

Pure: an entry of the memory and an observation go in, a decision comes out. One timestamp orders
everything, `_event_at`: an event of second S stands at S and a few microseconds, a snapshot read
in second S one microsecond before S.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

from producer.observation import Observation
from runtime.clock import MICROS_PER_SECOND
from schemas.inbox import Evidence, Kind
from schemas.meta import Operation

COMPANY_EVENTS_MAX: Final = 7
"""More events of one object in one second are not put in order by their bodies."""
CREATED_APART_MICROS_MIN: Final = 100_000
"""Events made closer to each other than that are not put in order by their finer `created`:
several machines of Stripe write it, each by its own clock."""
EVENT_IDS_MAX: Final = 64
"""Ids remembered of one second; an older one that comes again is looked at again."""


class DropReason(StrEnum):
    """Why nothing is published for an observation."""

    DUPLICATE = "duplicate"
    """This event was seen already."""
    STALE = "stale"
    """Something newer was published already."""
    EARLIER_IN_SECOND = "earlier_in_second"
    """A later event of the same second was published already, and it is the whole object."""
    UNCHANGED = "unchanged"
    """A snapshot that says what was published last."""
    DELETED_BEFORE = "deleted_before"
    """The object is deleted, and this is no proof that it exists again."""
    SETTLED = "settled"
    """The object was fetched again, and the fetched state stands for this event."""
    NOT_STORED_OBJECT = "not_stored_object"
    """The event is about something that is no stored object, as an upcoming invoice."""
    SHOWN_BY_PARENT = "shown_by_parent"
    """The object is published with the one whose list it stands in, and in no other way."""
    NOT_FETCHED = "not_fetched"
    """The object was to be fetched; there is no API key, or Stripe refuses."""


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the memory knows of one object: the last change that was published.

    Attributes:
        event_at: its `_event_at`, microseconds.
        body_hash: of its normalised body.
        event_ids: the events of its second that were seen; empty after a snapshot.
        inbox: `partition:offset` of the inbox record it came from.
        record_offset: where it stands in its object topic's partition; -1 if unknown.
        parent: of an owned child: the name of the object that shows it; else empty.
    """

    event_at: int
    operation: Operation
    body_hash: bytes
    event_ids: tuple[str, ...]
    inbox: str
    record_offset: int
    parent: str = ""

    @property
    def second(self) -> int:
        """The last second whose events it may hold."""
        return self.event_at // MICROS_PER_SECOND

    @property
    def of_snapshot(self) -> bool:
        """Whether it stands for a whole second and not for one event in it."""
        return self.event_at % MICROS_PER_SECOND == MICROS_PER_SECOND - 1


class Publish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The observation is the newest state.

    Attributes:
        event_at: its `_event_at`.
        event_ids: the events of its second that were seen, itself included.
    """

    event_at: int
    operation: Operation
    event_ids: tuple[str, ...]


class Drop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Nothing is published.

    Attributes:
        learnt: the observation's event id is to be remembered with the entry.
    """

    reason: DropReason
    learnt: bool = False


class Fetch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Only Stripe can say: fetch the object once Stripe's clock has left the second."""

    second: int


Decision = Publish | Drop | Fetch


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a second in which the object had several.

    Attributes:
        body: the object, parsed.
        previous: `previous_attributes`, parsed; empty if the event has none.
        api_version: that the body is in.
        created: microseconds since 1970 UTC, where a thin event told them.
        replaced: what a thin event says was replaced, where `previous_attributes` do not say it.
    """

    event_id: str
    operation: Operation
    body: Mapping[str, Any]
    previous: Mapping[str, Any]
    body_hash: bytes
    api_version: str | None = None
    created: int | None = None
    replaced: Mapping[str, Any] = {}


Company = Callable[[], Sequence[Witness] | None]
"""Every event of the second that was seen and the new one, last; none if a body is not at hand."""


def dropped_at_sight(entry: Entry | None, observation: Observation) -> DropReason | None:
    """Whether an observation is dropped whatever its body says; a short cut of `decide`."""
    if entry is None:
        return None
    if observation.kind is Kind.WANTED:
        return None
    if observation.kind is not Kind.EVENT and observation.kind is not Kind.THIN_EVENT:
        late = snapshot_event_at(observation.second) <= entry.event_at
        return DropReason.STALE if late else None
    if observation.second > entry.second:
        return None
    if observation.second < entry.second or entry.of_snapshot:
        return DropReason.STALE
    return DropReason.DUPLICATE if observation.event_id in entry.event_ids else None


def decide(
    entry: Entry | None, observation: Observation, body_hash: bytes, company: Company
) -> Decision:
    """What to do with an observation.

    Args:
        entry: what was published last for the object; none if nothing was.
        observation: what Stripe showed.
        body_hash: of the observation's normalised body.
        company: asked for only when the object's events of one second must be compared.
    """
    reason = dropped_at_sight(entry, observation)
    if reason is not None:
        return Drop(reason=reason)
    if observation.kind is Kind.EVENT:
        if entry is not None and observation.second == entry.second:
            return _decide_tie(entry, observation, company)
        return _decide_later_event(entry, observation)
    return _decide_snapshot(entry, observation, body_hash)


def decide_by_arrival(entry: Entry | None, observation: Observation) -> Decision:
    """What to do when the object cannot be fetched: of one second, what came later is later.

    An event after a delete is dropped: an update is no proof that the object exists again.
    """
    reason = dropped_at_sight(entry, observation)
    if reason is not None:
        return Drop(reason=reason)
    assert entry is not None, "only an object that was published has anything to fetch for"
    if entry.operation is Operation.DELETED:
        return Drop(reason=DropReason.DELETED_BEFORE)
    if observation.second > entry.second:
        return _first_of_second(observation)
    return _next_of_second(entry, observation)


def arranged(events: Sequence[Witness]) -> tuple[int, ...] | None:
    """The one order of several events of one object in one second, as positions in `events`.

    None if neither their bodies nor their finer `created` tell, or they allow for more than one
    last state.
    """
    chains = _chains(events)
    if len({events[chain[-1]].body_hash for chain in chains}) == 1:
        return chains[0]
    return _by_created(events)


def next_event_at(entry: Entry | None, second: int) -> int:
    """The place of one more event of `second`."""
    if entry is None or entry.second < second:
        return second * MICROS_PER_SECOND
    assert entry.second == second
    assert not entry.of_snapshot
    return entry.event_at + 1


def snapshot_event_at(second: int) -> int:
    """The `_event_at` of what Stripe showed in `second`: events of that second are later."""
    return second * MICROS_PER_SECOND - 1


def _first_of_second(observation: Observation) -> Publish:
    return Publish(
        event_at=next_event_at(None, observation.second),
        operation=observation.operation,
        event_ids=(observation.event_id,),
    )


def _next_of_second(entry: Entry, observation: Observation) -> Publish:
    return Publish(
        event_at=next_event_at(entry, observation.second),
        operation=observation.operation,
        event_ids=(*entry.event_ids[-EVENT_IDS_MAX + 1 :], observation.event_id),
    )


def _decide_later_event(entry: Entry | None, observation: Observation) -> Decision:
    if entry is None or entry.operation is not Operation.DELETED:
        return _first_of_second(observation)
    # Only a creation proves that a deleted object exists again; a second delete is published, so
    # that a creation between the two, arriving last, does not revive the object. An update is no
    # proof, but a reason to ask.
    if observation.operation is Operation.UPDATED:
        return Fetch(second=observation.second)
    return _first_of_second(observation)


def _decide_snapshot(
    entry: Entry | None, observation: Observation, body_hash: bytes
) -> Publish | Drop:
    publish = Publish(
        event_at=snapshot_event_at(observation.second),
        operation=observation.operation,
        event_ids=(),
    )
    if entry is None:
        return publish
    if entry.operation is Operation.DELETED:
        if observation.kind is Kind.GONE:
            return Drop(reason=DropReason.UNCHANGED)
        alive = observation.evidence is Evidence.RETRIEVE
        return publish if alive else Drop(reason=DropReason.DELETED_BEFORE)
    if observation.kind is Kind.SNAPSHOT and body_hash == entry.body_hash:
        return Drop(reason=DropReason.UNCHANGED)
    return publish


def _decide_tie(entry: Entry, observation: Observation, company: Company) -> Decision:
    """Put an event in its place among those of its second, by the first rule that decides.

    Rule 1: created is first, deleted is last. Rule 2: the bodies tell. Rule 3: the finer `created`
    of thin events tells. Rule 4: Stripe tells.
    """
    earlier = Drop(reason=DropReason.EARLIER_IN_SECOND, learnt=True)
    if entry.operation is Operation.DELETED:
        return earlier
    if observation.operation is Operation.DELETED:
        return _next_of_second(entry, observation)
    if (entry.operation is Operation.CREATED) is not (observation.operation is Operation.CREATED):
        if observation.operation is Operation.CREATED:
            return earlier
        return _next_of_second(entry, observation)
    witnesses = company()
    if witnesses is None:
        return Fetch(second=observation.second)
    newest = witnesses[-1]
    assert newest.event_id == observation.event_id
    if newest.body_hash == entry.body_hash and len(witnesses) == _PAIR:
        return _next_of_second(entry, observation)
    order = arranged(witnesses)
    last_hash = None if order is None else witnesses[order[-1]].body_hash
    if last_hash == newest.body_hash:
        return _next_of_second(entry, observation)
    if last_hash == entry.body_hash:
        return earlier
    return Fetch(second=observation.second)


_PAIR: Final = 2


def _chains(events: Sequence[Witness]) -> list[tuple[int, ...]]:
    """Every order of all events in which each may directly follow the one before it.

    The true order is always among them once all events are here, whatever was changed and changed
    back: so where all of them end in one state, that state is the last.
    """
    if len(events) > COMPANY_EVENTS_MAX:
        return []
    numbers = range(len(events))
    follows = [
        [before != after and _may_follow(events[before], events[after]) for after in numbers]
        for before in numbers
    ]
    found: list[tuple[int, ...]] = []
    open_chains: list[tuple[int, ...]] = [(first,) for first in numbers]
    while open_chains:
        chain = open_chains.pop()
        if len(chain) == len(events):
            found.append(chain)
            continue
        open_chains += [
            (*chain, after)
            for after in numbers
            if after not in chain and follows[chain[-1]][after]
        ]
    return found


def _by_created(events: Sequence[Witness]) -> tuple[int, ...] | None:
    """The order of events by the times that thin events told; none if they are not far apart.

    Also none where they contradict what is sure: a creation is first, and a delete last.
    """
    told = [(event.created, place) for place, event in enumerate(events)]
    times = sorted((created, place) for created, place in told if created is not None)
    near = any(
        later - sooner < CREATED_APART_MICROS_MIN
        for (sooner, _), (later, _) in itertools.pairwise(times)
    )
    if near or len(times) < len(events):
        return None
    order = tuple(place for _, place in times)
    operations = [events[place].operation for place in order]
    wrong = Operation.CREATED in operations[1:] or Operation.DELETED in operations[:-1]
    return None if wrong else order


def _may_follow(before: Witness, after: Witness) -> bool:
    """Whether `after` can be the event right after `before`."""
    if after.operation is Operation.CREATED or before.operation is Operation.DELETED:
        return False
    if after.operation is Operation.DELETED:
        return True
    if after.api_version != before.api_version:
        # What one version shows the other may lack, or have elsewhere: nothing is ruled out.
        return True
    if after.previous:
        return _holds(after.previous, before.body)
    if after.body_hash == before.body_hash:
        return True
    return bool(after.replaced) and _holds(after.replaced, before.body)


def _holds(previous: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether a body has the values that `previous_attributes` say there were.

    Only changed leaves stand there, but lists stand whole; null means null or absent.
    """
    for name, value in previous.items():
        found = body.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            if not _holds(value, found):
                return False
        elif value != found:
            return False
    return True
