"""The children that only their parents show: how they change with each change of a parent."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from producer.observation import Observation
from producer.order import Entry
from producer.record import Change
from producer.shown_lists import OwnedChild
from schemas.meta import Operation


class Known(Protocol):
    """What was published last; `Partitions` knows it."""

    def entries(self, names: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """Of these objects, by partition."""
        ...

    def children(self, parents: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """Of the owned children of these objects that are not deleted, by partition."""
        ...


class Lost(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A child that its parent shows no more.

    Attributes:
        entry: of what was published last.
    """

    object_name: str
    table: str
    name: str
    key: str
    partition: int
    entry: Entry


LastHalves = Callable[[Sequence[Lost]], list[bytes]]
"""The half of each child's record that was published last; of no more than its id at worst."""


class Owned:
    """The owned children of a batch's parents, as they are after each change of the batch.

    Args:
        parents: the batch's changes of objects that own children.
        known: what every batch before has published.

    Attributes:
        bereft: parents whose child another one shows now.
    """

    def __init__(self, parents: Sequence[Change], known: Known) -> None:
        names: dict[int, set[str]] = defaultdict(set)
        for change in parents:
            names[change.observation.partition].add(change.name)
        self._entries = known.children(names)
        self._children: dict[str, set[str]] = defaultdict(set)
        for name, entry in self._entries.items():
            self._children[entry.parent].add(name)
        # A child that does not live with one of these was deleted, or is another one's, or new.
        strangers: dict[int, set[str]] = defaultdict(set)
        for change in parents:
            for one in change.lists:
                for child in one.owned:
                    if child.name not in self._entries:
                        strangers[change.observation.partition].add(child.name)
        if strangers:
            self._entries |= known.entries(strangers)
        self.bereft: set[str] = set()
        self._halves: dict[str, bytes] = {}
        self._planned: list[tuple[Change, Lost | None]] = []

    def has_any(self, parent: str) -> bool:
        """Whether an object has children that live."""
        return bool(self._children.get(parent))

    def are_as_shown(self, change: Change) -> bool:
        """Whether the children that live are those that a change of their parent shows."""
        shown = {child.name: child for one in change.lists for child in one.owned}
        return self._children[change.name] == shown.keys() and all(
            self._entries[name].body_hash == child.body_hash for name, child in shown.items()
        )

    def show(self, change: Change) -> None:
        """Take in what a change of a parent shows."""
        for one in change.lists:
            for child in one.owned:
                entry = self._entries.get(child.name)
                if entry is None or (
                    entry.event_at < change.entry.event_at
                    and (entry.body_hash != child.body_hash or not _lives(entry, change.name))
                ):
                    self._publish(change, child, entry)

    def lose(self, change: Change, types: Mapping[str, str]) -> None:
        """Delete the children that a change of a parent, which shows all, does not show.

        Args:
            change: of the parent; if it is a delete, no child outlives it.
            types: of the children, by table.
        """
        deleted = change.entry.operation is Operation.DELETED
        shown = {child.name: child for one in change.lists for child in one.owned}
        for name in sorted(self._children[change.name]):
            entry = self._entries[name]
            table, _, key = name.partition(":")
            if entry.event_at >= change.entry.event_at or table not in types:
                continue
            if deleted or name not in shown:
                lost = Lost(
                    object_name=types[table],
                    table=table,
                    name=name,
                    key=key,
                    partition=change.observation.partition,
                    entry=entry,
                )
                self._delete(change, lost, shown.get(name))

    def changes(self, last_halves: LastHalves) -> list[Change]:
        """The children's changes, of each child in order."""
        lost = [one for _, one in self._planned if one is not None]
        halves = iter(last_halves(lost) if lost else ())
        return [
            change if one is None else msgspec.structs.replace(change, half=next(halves))
            for change, one in self._planned
        ]

    def _publish(self, parent: Change, child: OwnedChild, before: Entry | None) -> None:
        is_new = before is None or before.operation is Operation.DELETED
        operation = parent.entry.operation
        if operation is not Operation.SNAPSHOT:
            operation = Operation.CREATED if is_new else Operation.UPDATED
        change = Change(
            observation=_observed(parent, child.object_name, child.key),
            name=child.name,
            table=child.table,
            half=child.half,
            entry=_entry(parent, operation, child.body_hash),
        )
        if before is not None:
            self._children[before.parent].discard(child.name)
            if before.parent != parent.name:
                self.bereft.add(before.parent)
        self._children[parent.name].add(child.name)
        self._entries[child.name] = change.entry
        self._halves[child.name] = child.half
        self._planned.append((change, None))

    def _delete(self, parent: Change, lost: Lost, shown: OwnedChild | None) -> None:
        half = self._halves.get(lost.name) if shown is None else shown.half
        body_hash = lost.entry.body_hash if shown is None else shown.body_hash
        change = Change(
            observation=_observed(parent, lost.object_name, lost.key),
            name=lost.name,
            table=lost.table,
            half=half or b"",
            entry=_entry(parent, Operation.DELETED, body_hash),
        )
        self._children[parent.name].discard(lost.name)
        self._entries[lost.name] = change.entry
        self._planned.append((change, lost if half is None else None))


def _lives(entry: Entry, parent: str) -> bool:
    return entry.operation is not Operation.DELETED and entry.parent == parent


def _observed(parent: Change, object_name: str, key: str) -> Observation:
    """The parent's observation, as one of its child."""
    return msgspec.structs.replace(
        parent.observation, object_name=object_name, key=key, previous=b"", value=b""
    )


def _entry(parent: Change, operation: Operation, body_hash: bytes) -> Entry:
    return Entry(
        event_at=parent.entry.event_at,
        operation=operation,
        body_hash=body_hash,
        event_ids=(),
        inbox=parent.entry.inbox,
        record_offset=-1,
        parent=parent.name,
    )
