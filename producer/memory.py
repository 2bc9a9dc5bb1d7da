"""What the relay remembers of each object: a SQLite file per inbox partition.

The object topics are its changelog: every entry stands in the headers of a published record, and
the file also holds how far it has read each topic. So a file that is lost, old or of another
cluster is no loss, only work; and nothing but what a committed transaction published is in it.

What is new is written to the file many batches at a time: in a large file every entry of a batch
lies on a page of its own, and each page that is touched is written whole. What a crash loses of
it is read from the topics again.
"""

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from producer.order import Entry
from schemas.meta import Operation

_OPERATIONS: Final = {operation.value: operation for operation in Operation}

UNWRITTEN_MAX: Final = 10_000
"""Entries that the file does not have yet; some 5 MB, and a second's reading after a crash."""
FORMAT: Final = 2
"""Raised when the tables or the meaning of a column change; files of another format are remade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an object topic's partition has been taken in.

    Attributes:
        topic_id: the cluster's id of the topic; a topic that was made anew has another.
        next_offset: of the next record to take in.
    """

    topic_id: str
    next_offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unwritten:
    """What the file does not have yet.

    Attributes:
        entries: by name.
        children: names of those that have a parent, by the parent's name.
        progress: by topic.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    children: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    progress: dict[str, Progress] = field(default_factory=dict)


class PartitionMemory:
    """The memory of one partition; used by one thread at a time.

    Args:
        path: the file; made with its folder when missing.
        cluster_id: the Kafka cluster's; a file of another cluster is emptied.
    """

    def __init__(self, path: Path, *, cluster_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._unwritten = _Unwritten()
        # What was written last: objects that change are likely to change again.
        self._written: dict[str, Entry] = {}
        try:
            self._connection = self._opened(cluster_id)
        except sqlite3.DatabaseError:
            # A damaged file is as good as none: the topics hold everything.
            _remove(path)
            self._connection = self._opened(cluster_id)

    def entries(self, names: Iterable[str]) -> dict[str, Entry]:
        """The entries of those objects that have one, by object name as `entry_name` gives it."""
        found: dict[str, Entry] = {}
        others = []
        for name in names:
            entry = self._unwritten.entries.get(name) or self._written.get(name)
            if entry is None:
                others.append(name)
            else:
                found[name] = entry
        if others:
            found |= self._selected(_OF_NAMES, others)
        return found

    def children(self, parents: Iterable[str]) -> dict[str, Entry]:
        """The entries of all owned children of these objects that are not deleted, by name."""
        wanted = set(parents)
        found = {
            name: entry
            for name, entry in self._selected(_OF_PARENTS, wanted).items()
            if name not in self._unwritten.entries
        }
        for parent in wanted & self._unwritten.children.keys():
            for name in self._unwritten.children[parent]:
                entry = self._unwritten.entries[name]
                if entry.parent == parent and entry.operation is not Operation.DELETED:
                    found[name] = entry
        return found

    def _selected(self, statement: str, names: Iterable[str]) -> dict[str, Entry]:
        rows = self._connection.execute(statement, (orjson.dumps(list(names)).decode(),))
        return {
            name: Entry(
                event_at=event_at,
                operation=_OPERATIONS[operation],
                body_hash=body_hash,
                event_ids=tuple(event_ids.split(",")) if event_ids else (),
                inbox=inbox,
                record_offset=record_offset,
                parent=parent,
            )
            for name, event_at, operation, body_hash, event_ids, inbox, record_offset, parent in (
                rows
            )
        }

    def progress(self) -> dict[str, Progress]:
        """How far each object topic has been taken in, by topic."""
        rows = self._connection.execute("select topic, topic_id, next_offset from progress")
        written = {
            topic: Progress(topic_id=topic_id, next_offset=next_offset)
            for topic, topic_id, next_offset in rows
        }
        return written | self._unwritten.progress

    def remember(self, entries: Mapping[str, Entry], progress: Mapping[str, Progress]) -> None:
        """Take in what a committed transaction published.

        Args:
            entries: by name.
            progress: of the topics it went to.
        """
        unwritten = self._unwritten
        unwritten.entries.update(entries)
        for name, entry in entries.items():
            if entry.parent:
                unwritten.children[entry.parent].add(name)
        unwritten.progress.update(progress)
        if len(unwritten.entries) >= UNWRITTEN_MAX:
            self.write()

    def write(self) -> None:
        """Write what the file does not have yet, all of it or nothing."""
        with self._connection:
            self._connection.executemany(
                _UPSERT,
                [
                    (
                        name,
                        entry.event_at,
                        entry.operation,
                        entry.body_hash,
                        ",".join(entry.event_ids),
                        entry.inbox,
                        entry.record_offset,
                        entry.parent,
                    )
                    # Sorted: entries of one page come together.
                    for name, entry in sorted(self._unwritten.entries.items())
                ],
            )
            self._connection.executemany(
                "insert or replace into progress (topic, topic_id, next_offset) values (?, ?, ?)",
                [
                    (topic, found.topic_id, found.next_offset)
                    for topic, found in self._unwritten.progress.items()
                ],
            )
        self._written, self._unwritten = self._unwritten.entries, _Unwritten()

    def forget(self) -> None:
        """Empty the memory: it is to be built anew from the topics."""
        self._written, self._unwritten = {}, _Unwritten()
        with self._connection:
            self._connection.execute("delete from entry")
            self._connection.execute("delete from progress")

    def count(self) -> int:
        """How many objects it knows."""
        self.write()
        return int(self._connection.execute("select count(*) from entry").fetchone()[0])

    def close(self) -> None:
        """Close the file, with all in it that is remembered."""
        try:
            self.write()
        finally:
            self._connection.close()

    def _opened(self, cluster_id: str) -> sqlite3.Connection:
        # Transactions are begun and ended by `with`; the relay's loop may move between threads.
        connection = sqlite3.connect(self._path, check_same_thread=False)
        try:
            # With a write-ahead log and NORMAL a crash, of the machine too, loses the last
            # transactions at worst, never the file's consistency.
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute(_IDENTITY)
            found = dict(connection.execute("select name, value from identity"))
            wanted = {"format": str(FORMAT), "cluster_id": cluster_id}
            if found != wanted:
                # Their columns may be another format's, so that emptying them is not enough.
                connection.executescript(_REMOVED)
            connection.executescript(_TABLES)
            with connection:
                connection.executemany(
                    "insert or replace into identity values (?, ?)", wanted.items()
                )
        except BaseException:
            connection.close()
            raise
        return connection


def entry_name(table: str, key: str) -> str:
    """The name of an object in the memory: chosen ids repeat between object types."""
    return f"{table}:{key}"


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()


_IDENTITY: Final = """
create table if not exists identity (name text primary key, value text not null)
"""

_REMOVED: Final = """
drop table if exists entry;
drop table if exists progress;
"""

_TABLES: Final = """
create table if not exists entry (
    name text primary key,
    event_at integer not null,
    operation text not null,
    body_hash blob not null,
    event_ids text not null,
    inbox text not null,
    record_offset integer not null,
    parent text not null
) without rowid;
create index if not exists child on entry (parent)
    where parent <> '' and operation <> 'deleted';
create table if not exists progress (
    topic text primary key,
    topic_id text not null,
    next_offset integer not null
);
"""

_OF_NAMES: Final = """
select name, event_at, operation, body_hash, event_ids, inbox, record_offset, parent
from entry where name in (select value from json_each(?))
"""

_OF_PARENTS: Final = """
select name, event_at, operation, body_hash, event_ids, inbox, record_offset, parent
from entry
where parent in (select value from json_each(?)) and parent <> '' and operation <> 'deleted'
"""

_UPSERT: Final = """
insert or replace into entry
    (name, event_at, operation, body_hash, event_ids, inbox, record_offset, parent)
values (?, ?, ?, ?, ?, ?, ?, ?)
"""
