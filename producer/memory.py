"""What the relay remembers of each object: a SQLite file per inbox partition.

The object topics are its changelog: every entry stands in the headers of a published record, and
the file also holds how far it has read each topic. So a file that is lost, old or of another
cluster is no loss, only work; and nothing but what a committed transaction published is in it.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from producer.order import Entry
from schemas.meta import Operation

_OPERATIONS: Final = {operation.value: operation for operation in Operation}

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


class PartitionMemory:
    """The memory of one partition; used by one thread at a time.

    Args:
        path: the file; made with its folder when missing.
        cluster_id: the Kafka cluster's; a file of another cluster is emptied.
    """

    def __init__(self, path: Path, *, cluster_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        try:
            self._connection = self._opened(cluster_id)
        except sqlite3.DatabaseError:
            # A damaged file is as good as none: the topics hold everything.
            _remove(path)
            self._connection = self._opened(cluster_id)

    def entries(self, names: Iterable[str]) -> dict[str, Entry]:
        """The entries of those objects that have one, by object name as `entry_name` gives it."""
        return self._selected(_OF_NAMES, names)

    def children(self, parents: Iterable[str]) -> dict[str, Entry]:
        """The entries of all owned children of these objects that are not deleted, by name."""
        return self._selected(_OF_PARENTS, parents)

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
        return {
            topic: Progress(topic_id=topic_id, next_offset=next_offset)
            for topic, topic_id, next_offset in rows
        }

    def remember(
        self, entries: Iterable[tuple[str, Entry, int]], progress: Mapping[str, Progress]
    ) -> None:
        """Take in what a committed transaction published, all of it or nothing.

        Args:
            entries: name, entry, and the offset of its record, which the entry cannot know yet.
            progress: of the topics it went to.
        """
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
                        record_offset,
                        entry.parent,
                    )
                    for name, entry, record_offset in entries
                ],
            )
            self._connection.executemany(
                "insert or replace into progress (topic, topic_id, next_offset) values (?, ?, ?)",
                [(topic, found.topic_id, found.next_offset) for topic, found in progress.items()],
            )

    def forget(self) -> None:
        """Empty the memory: it is to be built anew from the topics."""
        with self._connection:
            self._connection.execute("delete from entry")
            self._connection.execute("delete from progress")

    def count(self) -> int:
        """How many objects it knows."""
        return int(self._connection.execute("select count(*) from entry").fetchone()[0])

    def close(self) -> None:
        """Close the file; it stays as it is."""
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
