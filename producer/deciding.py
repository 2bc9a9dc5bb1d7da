"""Decides upon a prepared batch: what is published, in which order, and what must be fetched."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from producer import compiled
from producer.families import Family
from producer.kept import Kept
from producer.observation import Observation
from producer.order import (
    EVENT_IDS_MAX,
    Decision,
    Drop,
    DropReason,
    Entry,
    Fetch,
    Publish,
    Witness,
    arranged,
    decide,
    decide_by_arrival,
    dropped_at_sight,
    next_event_at,
    snapshot_event_at,
)
from producer.preparing import Candidate
from producer.record import Change, hash_of
from schemas.inbox import Kind
from schemas.meta import Operation

RECENT_BYTES_MAX: Final = 33_554_432


class Outcome(msgspec.Struct, kw_only=True):
    """What became of a batch.

    Attributes:
        followers: to publish: events that simply follow what was published of their object, alone
            of it in the batch; nothing else follows from them.
        changes: to publish, of each object in order.
        unchanged: snapshots with lists that say of their object what was published. What the lists
            show may be new: a record does not hold all of them, and a topic of children may have
            been lost.
        entries: of every object that changed or of which something was learnt, by name.
        learnt: those of `entries` that are not a change's, with their partition.
        to_fetch: candidates that only Stripe can put in order.
        by_arrival: how many were put in order by their arrival.
        family: what follows from the changes for the objects in their lists.
    """

    followers: list[compiled.QuickCandidate] = []
    changes: list[Change] = []
    unchanged: list[Change] = []
    entries: dict[str, Entry] = {}
    learnt: dict[str, tuple[int, Entry]] = {}
    dropped: Counter[DropReason] = msgspec.field(default_factory=Counter)
    to_fetch: list[Candidate] = []
    by_arrival: int = 0
    family: Family = msgspec.field(default_factory=Family)


LastHalf = Callable[[Candidate, Entry], bytes | None]
"""The object's half of the record that was published last; none if it is not there any more."""
ReadAgain = Callable[[Entry], Candidate | None]
"""The inbox record of the change that was published last, read again; none if it is gone."""


class Decider:
    """Decides batch after batch; remembers the bodies of recent events to compare them.

    Args:
        last_half: asked for where a delete does not show the object.
        read_again: asked for where events of one second are to be compared.
        may_fetch: whether Stripe can be asked; if not, what came later is later.
    """

    def __init__(self, *, last_half: LastHalf, read_again: ReadAgain, may_fetch: bool) -> None:
        self._last_half = last_half
        self._read_again = read_again
        self._may_fetch = may_fetch
        self._recent = RecentEvents(bytes_max=RECENT_BYTES_MAX)

    def decide(
        self,
        candidates: Sequence[Candidate],
        entries: dict[str, Entry],
        *,
        busy: Collection[str],
        in_step: dict[str, bytes],
    ) -> Outcome:
        """Decide upon a batch.

        Args:
            candidates: in the order of the inbox.
            entries: what was published last, by name; those of the batch before included.
            busy: names of objects of which there is more to decide in this batch.
            in_step: for parents, the digest of the lists that show exactly the children that
                live: from an event which shows them again nothing follows for the children.
        """
        outcome = Outcome()
        if compiled.IS_COMPILED:
            outcome.followers, candidates = compiled.followers(candidates, entries, busy, in_step)
            self._recent.add_followers(outcome.followers)
        for name, together in _by_name(candidates).items():
            entry = entries.get(name)
            if len(together) == 1:
                self._one(together[0], entry, outcome)
            else:
                self._several(together, entry, outcome)
        return outcome

    def wish(
        self, candidates: Sequence[Candidate], entries: Mapping[str, Entry], outcome: Outcome
    ) -> None:
        """Decide upon candidates that show nothing; enter it in `outcome`."""
        for candidate in candidates:
            entry = outcome.entries.get(candidate.name, entries.get(candidate.name))
            reason = dropped_at_sight(entry, candidate.observation)
            if reason is None and not self._may_fetch:
                reason = DropReason.NOT_FETCHED
            if reason is None:
                outcome.to_fetch.append(candidate)
            else:
                outcome.dropped[reason] += 1

    def by_arrival(
        self, candidates: Sequence[Candidate], entries: Mapping[str, Entry], outcome: Outcome
    ) -> None:
        """Decide upon candidates that were to be fetched and cannot be; enter it in `outcome`."""
        for candidate in candidates:
            if candidate.observation.is_wish:
                outcome.dropped[DropReason.NOT_FETCHED] += 1
                continue
            entry = outcome.entries.get(candidate.name, entries.get(candidate.name))
            outcome.by_arrival += 1
            self._take(candidate, entry, decide_by_arrival(entry, candidate.observation), outcome)

    def settled(
        self, candidates: Sequence[Candidate], entries: Mapping[str, Entry], outcome: Outcome
    ) -> None:
        """Note in `outcome` that a fetched state stands for these; they are known from now on."""
        for candidate in candidates:
            outcome.dropped[DropReason.SETTLED] += 1
            observation = candidate.observation
            if observation.is_wish:
                continue
            entry = outcome.entries.get(candidate.name, entries.get(candidate.name))
            same_second = entry is not None and entry.second == observation.second
            if entry is not None and same_second and not entry.of_snapshot:
                self._learn(candidate, entry, outcome)

    def forget(self) -> None:
        """The bodies in memory may belong to batches that were not committed."""
        self._recent.clear()

    def _several(
        self, together: Sequence[Candidate], entry: Entry | None, outcome: Outcome
    ) -> None:
        """An object's candidates of one batch, those of one second put in order at once."""
        ranked = sorted(together, key=_rank)
        at = 0
        while at < len(ranked):
            end = at + 1
            while end < len(ranked) and _rank(ranked[end]) == _rank(ranked[at]):
                end += 1
            second = _distinct(ranked[at:end], outcome)
            order = self._arranged(second, outcome.entries.get(second[0].name, entry))
            if order is None:
                for candidate in second:
                    self._one(candidate, outcome.entries.get(candidate.name, entry), outcome)
            else:
                self._publish_all([second[place] for place in order], outcome)
            at = end

    def _arranged(
        self, second: Sequence[Candidate], entry: Entry | None
    ) -> tuple[int, ...] | None:
        first = second[0].observation
        if len(second) == 1 or first.kind is not Kind.EVENT:
            return None
        if entry is not None and first.second <= entry.second:
            return None
        # Only a creation, which would stand first, proves that a deleted object exists again.
        deleted = entry is not None and entry.operation is Operation.DELETED
        if deleted and all(_only_updates(one) for one in second):
            return None
        return arranged([_witness(candidate) for candidate in second])

    def _publish_all(self, second: Sequence[Candidate], outcome: Outcome) -> None:
        """Events of one second, after all that was published, in this order."""
        entry: Entry | None = None
        seen: tuple[str, ...] = ()
        for candidate in second:
            observation = candidate.observation
            seen = (*seen, observation.event_id)
            publish = Publish(
                event_at=next_event_at(entry, observation.second),
                operation=observation.operation,
                event_ids=seen,
            )
            entry = self._take(candidate, entry, publish, outcome)

    def _one(self, candidate: Candidate, entry: Entry | None, outcome: Outcome) -> None:
        decision = decide(
            entry,
            candidate.observation,
            candidate.body_hash,
            lambda: self._company(candidate, entry),
        )
        if isinstance(decision, Fetch):
            if self._may_fetch:
                outcome.to_fetch.append(candidate)
                return
            outcome.by_arrival += 1
            decision = decide_by_arrival(entry, candidate.observation)
        self._take(candidate, entry, decision, outcome)

    def _take(
        self, candidate: Candidate, entry: Entry | None, decision: Decision, outcome: Outcome
    ) -> Entry | None:
        """Enter a decision into the outcome; the object's entry after it."""
        observation = candidate.observation
        assert not isinstance(decision, Fetch)
        if isinstance(decision, Drop):
            outcome.dropped[decision.reason] += 1
            if decision.learnt:
                assert entry is not None
                return self._learn(candidate, entry, outcome)
            if decision.reason is DropReason.UNCHANGED and candidate.lists:
                outcome.unchanged.append(_unchanged(candidate))
            return entry
        half, body_hash = candidate.half, candidate.body_hash
        if candidate.stub and entry is not None:
            half = self._half_before(candidate, entry, outcome) or half
            body_hash = hash_of(half)
        entry = Entry(
            event_at=decision.event_at,
            operation=decision.operation,
            body_hash=body_hash,
            event_ids=decision.event_ids,
            inbox=_place(observation),
            record_offset=-1,
        )
        outcome.changes.append(_change(candidate, half, entry))
        outcome.entries[candidate.name] = entry
        outcome.learnt.pop(candidate.name, None)
        if observation.kind is Kind.EVENT:
            self._recent.add(candidate)
        return entry

    def _learn(self, candidate: Candidate, entry: Entry, outcome: Outcome) -> Entry:
        """Remember an event of the entry's second that is not published."""
        observation = candidate.observation
        self._recent.add(candidate)
        seen = (*entry.event_ids[-EVENT_IDS_MAX + 1 :], observation.event_id)
        entry = msgspec.structs.replace(entry, event_ids=seen)
        outcome.entries[candidate.name] = entry
        outcome.learnt[candidate.name] = (observation.partition, entry)
        return entry

    def _half_before(self, candidate: Candidate, entry: Entry, outcome: Outcome) -> bytes | None:
        for change in reversed(outcome.changes):
            if change.name == candidate.name:
                return change.half
        return self._last_half(candidate, entry)

    def _company(self, candidate: Candidate, entry: Entry | None) -> list[Witness] | None:
        """The events of the candidate's second, itself last; none if a body is not at hand."""
        assert entry is not None
        known = self._recent.of_second(candidate.name, candidate.observation.second)
        if any(event_id not in known for event_id in entry.event_ids):
            if len(entry.event_ids) != 1:
                return None
            again = self._read_again(entry)
            if again is None or again.observation.event_id != entry.event_ids[0]:
                return None
            known = {again.observation.event_id: again}
        found = [_witness(known[event_id]) for event_id in entry.event_ids]
        return [*found, _witness(candidate)]


class RecentEvents:
    """The latest events of each object that had one lately, within a number of bytes."""

    def __init__(self, *, bytes_max: int) -> None:
        self._kept = Kept[str, list[Candidate]](bytes_max=bytes_max // 2)

    def add(self, candidate: Candidate) -> None:
        """Remember an event; those of an earlier second of its object are forgotten."""
        known = self._kept.get(candidate.name)
        if known and known[0].observation.second == candidate.observation.second:
            together = [*known, candidate]
        else:
            together = [candidate]
        self._kept.keep(candidate.name, together, sum([one.size for one in together]))

    def add_followers(self, events: Sequence[compiled.QuickCandidate]) -> None:
        """Remember events, each of which is the first of its second that was seen."""
        sizes = [event.size for event in events]
        self._kept.keep_all(
            {event.name: ([event], size) for event, size in zip(events, sizes, strict=True)},
            sum(sizes),
        )

    def of_second(self, name: str, second: int) -> dict[str, Candidate]:
        """The events of that second of the object, by event id."""
        return {
            candidate.observation.event_id: candidate
            for candidate in self._kept.get(name) or ()
            if candidate.observation.second == second
        }

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


def _by_name(candidates: Sequence[Candidate]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        found[candidate.name].append(candidate)
    return found


def _rank(candidate: Candidate) -> int:
    """Orders by what each may know: a snapshot stands before the events of its second."""
    observation = candidate.observation
    return 2 * observation.second + (observation.kind is Kind.EVENT)


def _distinct(together: Sequence[Candidate], outcome: Outcome) -> list[Candidate]:
    """Without events that came twice; snapshots stay as they are."""
    found: dict[str, Candidate] = {}
    for candidate in together:
        event_id = candidate.observation.event_id or str(candidate.observation.offset)
        if event_id in found:
            outcome.dropped[DropReason.DUPLICATE] += 1
        else:
            found[event_id] = candidate
    return list(found.values())


def _change(candidate: Candidate, half: bytes, entry: Entry) -> Change:
    return Change(
        observation=candidate.observation,
        name=candidate.name,
        table=candidate.table,
        half=half,
        entry=entry,
        lists=candidate.lists,
    )


def _unchanged(candidate: Candidate) -> Change:
    """What a snapshot would have been as a change, had it been one."""
    observation = candidate.observation
    entry = Entry(
        event_at=snapshot_event_at(observation.second),
        operation=observation.operation,
        body_hash=candidate.body_hash,
        event_ids=(),
        inbox=_place(observation),
        record_offset=-1,
    )
    return _change(candidate, candidate.half, entry)


def _place(observation: Observation) -> str:
    return f"{observation.partition}:{observation.offset}"


def _only_updates(candidate: Candidate) -> bool:
    return candidate.observation.operation is Operation.UPDATED


def _witness(candidate: Candidate) -> Witness:
    observation = candidate.observation
    finer = observation.finer
    previous: Any = msgspec.json.decode(observation.previous) if observation.has_previous else {}
    replaced: Any = msgspec.json.decode(finer.before) if finer and finer.before else {}
    return Witness(
        event_id=observation.event_id,
        operation=observation.operation,
        body=msgspec.json.decode(observation.body),
        previous=previous if isinstance(previous, dict) else {},
        body_hash=candidate.body_hash,
        api_version=observation.api_version,
        created=finer.created if finer else None,
        replaced=replaced if isinstance(replaced, dict) else {},
    )
