"""A batch of inbox records made ready to be decided upon: read, normalised, encoded and hashed."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from producer import compiled
from producer.children import ChildReader, Parent
from producer.errors import Unreadable
from producer.memory import entry_name
from producer.normalise import Cells, NotAnObject
from producer.observation import Observation
from producer.order import DropReason, Entry, dropped_at_sight
from producer.quick_reading import QuickReader, Unmet
from producer.reading import InboxRecord, ObservationReader
from producer.record import hash_of
from producer.shown_lists import ShownList
from producer.type_tools import ToolBox, TypeTools
from runtime.errors import frames_of
from schemas.endpoints import load_ways
from schemas.inbox import Kind
from schemas.meta import Operation
from schemas.objects import Catalogue

STUB_FIELDS_MAX: Final = 4
"""`id`, `object`, `deleted` and one more: a delete that does not show the object."""
UNFORESEEN: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What code raises that meets a value which nobody thought of. One record must never hold up all
others: it is told apart from them, and becomes a dead letter."""


class Named(msgspec.Struct, frozen=True, gc=False):
    """An object's name in the memory, what was observed of it, and the short way's part in it."""

    name: str
    observation: Observation
    unmet: Unmet | None = None

    @property
    def partition(self) -> int:
        """Of the inbox."""
        return self.observation.partition


class LongCandidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An observation that was read the long way.

    Attributes:
        name: of the object in the memory.
        half: the object's half of the record.
        body_hash: of the half.
        stub: whether the body shows no more than that the object is gone.
        lists: of objects with ids, in the body.
    """

    observation: Observation
    name: str
    table: str
    half: bytes
    body_hash: bytes
    stub: bool
    lists: tuple[ShownList, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of what it holds."""
        return len(self.observation.value) + len(self.half)


Candidate: TypeAlias = LongCandidate | compiled.QuickCandidate
"""An observation that may be published."""


class DeadRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An inbox record that cannot be published, and the constant word that says why.

    Attributes:
        stack: where in the code an error arose that nobody had thought of.
    """

    record: InboxRecord
    reason: str
    stack: str = ""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A batch, ready to be decided upon.

    Attributes:
        candidates: in the order of the inbox.
        wishes: objects to be fetched; their candidates have no half.
        entries: what the memory knew of their objects, by name.
        next_offsets: partition -> where to read on after this batch.
        received_at: of the batch's last record, microseconds; 0 if unknown.
    """

    candidates: list[Candidate]
    wishes: list[Candidate]
    dead: list[DeadRecord]
    dropped: Counter[DropReason]
    entries: dict[str, Entry]
    next_offsets: dict[int, int]
    records: int
    received_at: int


class Preparer:
    """Prepares batches; keeps the tools of each object type it meets."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._reader = ObservationReader(catalogue=catalogue)
        self._quick = QuickReader(self._reader.envelopes)
        self._tool_box = ToolBox(catalogue=catalogue)
        self.tools = self._tool_box.tools
        self.children = ChildReader(catalogue=catalogue, ways=load_ways(), tool_box=self._tool_box)

    def prepare(
        self,
        records: Sequence[InboxRecord],
        entries_of: Callable[[Mapping[int, Iterable[str]]], dict[str, Entry]],
    ) -> Prepared:
        """Everything about a batch that does not depend on the batch before it.

        Args:
            records: in the order of the inbox.
            entries_of: partition -> names of objects -> their entries. What they say may be
                older than the last commit: what is dropped by an old entry, a new one drops too.
        """
        dead: list[DeadRecord] = []
        dropped: Counter[DropReason] = Counter()
        seen = self._seen(records, dead, dropped)
        names: dict[int, list[str]] = defaultdict(list)
        for one in seen:
            names[one.partition].append(one.name)
        entries = entries_of(names)
        # In the order of the inbox; the places of what is read the long way are filled last.
        candidates: list[Candidate | None] = []
        wanted: dict[int, Named] = {}
        wishes = []
        for one in seen:
            if not isinstance(one, Named):
                candidates.append(one)
                continue
            reason = dropped_at_sight(entries.get(one.name), one.observation)
            if reason is not None:
                dropped[reason] += 1
            elif one.observation.is_wish:
                wishes.append(self._wish(one))
            else:
                wanted[len(candidates)] = one
                candidates.append(None)
        for at, candidate in self._candidates(wanted, records, dead).items():
            candidates[at] = candidate
        return Prepared(
            candidates=[one for one in candidates if one is not None],
            wishes=wishes,
            dead=dead,
            dropped=dropped,
            entries=entries,
            next_offsets={record.partition: record.next_offset for record in records},
            records=len(records),
            received_at=_received_at(seen[-1]) if seen else 0,
        )

    def candidate(self, record: InboxRecord) -> Candidate | None:
        """One inbox record that was read again; none if it cannot be a candidate."""
        found = self.prepare([record], lambda _names: {}).candidates
        return found[0] if found else None

    def _seen(
        self,
        records: Sequence[InboxRecord],
        dead: list[DeadRecord],
        dropped: Counter[DropReason],
    ) -> list[Named | compiled.QuickCandidate]:
        """What the records say, where they say anything of a stored object."""
        found: list[Named | compiled.QuickCandidate] = []
        for record, quick in zip(records, self._quick.read(records), strict=True):
            if quick is not None and not isinstance(quick, Unmet):
                if quick.operation is Operation.DELETED:
                    quick.stub = _is_stub(quick.observation)
                found.append(quick)
                continue
            try:
                one = self._read(record, quick)
            except Unreadable as error:
                dead.append(DeadRecord(record=record, reason=error.reason))
                continue
            except UNFORESEEN as error:
                dead.append(_unforeseen(record, error))
                continue
            if one is None:
                dropped[DropReason.NOT_STORED_OBJECT] += 1
            elif self.children.is_owned(one.observation.object_name):
                dropped[DropReason.SHOWN_BY_PARENT] += 1
            else:
                found.append(one)
        return found

    def _wish(self, named: Named) -> Candidate:
        return LongCandidate(
            observation=named.observation,
            name=named.name,
            table=self.tools(named.observation.object_name).object_type.table,
            half=b"",
            body_hash=b"",
            stub=False,
        )

    def _read(self, record: InboxRecord, unmet: Unmet | None) -> Named | None:
        """What a record says, read the long way; none if of no stored object."""
        if unmet is not None:
            return Named(unmet.event.name, unmet.event.observation, unmet)
        observation = self._reader.read(record)
        if observation is None:
            return None
        table = self.tools(observation.object_name).object_type.table
        return Named(entry_name(table, observation.key), observation)

    def _candidates(
        self,
        wanted: Mapping[int, Named],
        records: Sequence[InboxRecord],
        dead: list[DeadRecord],
    ) -> dict[int, Candidate]:
        """The candidates by their places, encoded type by type."""
        groups: dict[str, list[int]] = defaultdict(list)
        for at, named in wanted.items():
            groups[named.observation.object_name].append(at)
        found: dict[int, Candidate] = {}
        for object_name, places in groups.items():
            made, unfit = self._of_type(object_name, places, wanted)
            found |= made
            dead += [
                _unforeseen(_record(records, wanted[at]), why)
                if isinstance(why, Exception)
                else DeadRecord(record=_record(records, wanted[at]), reason=why)
                for at, why in unfit.items()
            ]
        return found

    def _of_type(
        self, object_name: str, places: Sequence[int], wanted: Mapping[int, Named]
    ) -> tuple[dict[int, Candidate], dict[int, str | Exception]]:
        """The candidates of one type by their place in `wanted`, and why others are none."""
        try:
            return self._of_type_at_once(object_name, places, wanted)
        except UNFORESEEN as error:
            if len(places) == 1:
                return {}, {places[0]: error}
        middle = len(places) // 2
        found, unfit = self._of_type(object_name, places[:middle], wanted)
        more, more_unfit = self._of_type(object_name, places[middle:], wanted)
        return found | more, unfit | more_unfit

    def _of_type_at_once(
        self, object_name: str, places: Sequence[int], wanted: Mapping[int, Named]
    ) -> tuple[dict[int, Candidate], dict[int, str | Exception]]:
        tools = self.tools(object_name)
        unfit: dict[int, str | Exception] = {}
        cells: dict[int, Cells] = {}
        for at in places:
            named = wanted[at]
            try:
                if named.unmet is None:
                    cells[at] = self._cells(tools, named.observation)
                else:
                    cells[at] = tools.normaliser.read(named.unmet.body)
            except NotAnObject:
                # Of an event that came the short way, not all has been judged before.
                unfit[at] = "bad_body" if named.unmet is None else "bad_json"
        halves: dict[int, bytes] = {}
        for at, half in zip(cells, tools.halves(list(cells.values())), strict=True):
            if half is None:
                unfit[at] = "bad_record"
            else:
                halves[at] = half
        lists = self._lists(object_name, wanted, {at: cells[at] for at in halves})
        for at, half in halves.items():
            unmet = wanted[at].unmet
            if unmet is not None:
                self._quick.remember(unmet, half, lists[at])
        return {
            at: LongCandidate(
                observation=wanted[at].observation,
                name=wanted[at].name,
                table=tools.object_type.table,
                half=half,
                body_hash=hash_of(half),
                stub=_is_stub(wanted[at].observation),
                lists=lists[at],
            )
            for at, half in halves.items()
        }, unfit

    def _lists(
        self, object_name: str, wanted: Mapping[int, Named], cells: Mapping[int, Cells]
    ) -> dict[int, tuple[ShownList, ...]]:
        """The lists of each body; most types have none."""
        parents = [
            Parent(
                name=wanted[at].name,
                account_id=wanted[at].observation.account_id,
                object_id=wanted[at].observation.object_id,
                lists=self.children.values(object_name, found),
            )
            for at, found in cells.items()
        ]
        return dict(zip(cells, self.children.read(object_name, parents), strict=True))

    def _cells(self, tools: TypeTools, observation: Observation) -> Cells:
        """The cells of an observation that was read the long way.

        Raises:
            NotAnObject: its body, or what it was before, is not JSON.
        """
        cells = tools.normaliser.read(observation.body)
        lists = self.children.lists_of(observation.object_name)
        self._quick.learn(observation, tools.normaliser, lists)
        return cells


def _record(records: Sequence[InboxRecord], named: Named) -> InboxRecord:
    """The record of an observation, which is looked for only now: nearly none is dead."""
    place = (named.observation.partition, named.observation.offset)
    return next(one for one in records if (one.partition, one.offset) == place)


def _received_at(seen: Named | compiled.QuickCandidate) -> int:
    return seen.observation.received_at if isinstance(seen, Named) else seen.received_at


def _unforeseen(record: InboxRecord, error: Exception) -> DeadRecord:
    return DeadRecord(record=record, reason="unforeseen", stack=frames_of(error))


def _is_stub(observation: Observation) -> bool:
    """Whether a delete shows too little of the object to stand for its last known body."""
    if observation.operation is not Operation.DELETED:
        return False
    if observation.kind is Kind.GONE:
        return True
    shown = msgspec.json.decode(observation.body)
    return shown.get("deleted") is True and len(shown) <= STUB_FIELDS_MAX
