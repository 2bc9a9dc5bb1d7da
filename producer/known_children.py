"""The children of a reconcile's objects that stand in no column of theirs, as a session's items.

Stripe shows such a list only where it is asked for, so that its parent's record does without it,
and an unchanged parent says nothing of it: it is compared element by element.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from producer.known_objects import temporary_database
from producer.object_topic import ObjectTopic, PublishedRecord
from producer.preparing import Candidate
from producer.record_keys import account_of
from producer.shown_lists import Extent
from schemas.endpoints import Ways
from schemas.meta import Operation


class KnownChildren:
    """The live children of one type's objects; used by one thread at a time.

    Args:
        topic: of the children.
        field: of the parent's body, in which they are shown.
    """

    def __init__(self, *, topic: ObjectTopic, field: str) -> None:
        self._topic = topic
        self._field = field
        self._connection: sqlite3.Connection = temporary_database(_TABLE)

    def begin_at(self, second: int) -> None:
        """Pass over what was published before.

        Raises:
            KafkaUnreachable: Kafka does not tell where that is.
        """
        self._topic.begin_at(second)

    def read_topic(self, accounts: Collection[str]) -> None:
        """Take in what was published since the last time, of these accounts.

        Raises:
            ForeignRecord: a record that no relay wrote.
            KafkaUnreachable: what was published cannot be read.
        """
        for batch in self._topic.read_on({}):
            self._take_in([record for record in batch if account_of(record.key) in accounts])

    def differing(self, parents: Sequence[Candidate]) -> set[str]:
        """Keys of those parents that show other children than were published."""
        shown = {
            parent.observation.key: (
                parent.name,
                {child.key: child.body_hash for child in one.owned},
            )
            for parent in parents
            for one in parent.lists
            if one.field == self._field and one.extent is Extent.WHOLE
        }
        known = self._of_parents([name for name, _ in shown.values()])
        return {key for key, (name, children) in shown.items() if children != known.get(name, {})}

    @property
    def field(self) -> str:
        """Of the parent's body."""
        return self._field

    def close(self) -> None:
        """Let go of the table and its file."""
        self._connection.close()

    def _take_in(self, records: Sequence[PublishedRecord]) -> None:
        rows = [
            (
                record.key,
                record.entry.parent,
                record.entry.body_hash,
                record.entry.operation is not Operation.DELETED,
            )
            for record in records
        ]
        self._connection.execute("begin")
        self._connection.executemany("insert or replace into child values (?, ?, ?, ?)", rows)
        self._connection.execute("commit")

    def _of_parents(self, names: Sequence[str]) -> Mapping[str, dict[str, bytes]]:
        listed = msgspec.json.encode(names).decode()
        found: dict[str, dict[str, bytes]] = {}
        for parent, key, body_hash in self._connection.execute(_OF_PARENTS, (listed,)):
            found.setdefault(parent, {})[key] = body_hash
        return found


def list_apart(ways: Ways) -> tuple[str, str] | None:
    """The list that stands in no column of an object: its field, and the type of its elements."""
    found = [
        (child.field, child.object_name)
        for child in ways.children
        if child.owned and child.expanded_only
    ]
    assert len(found) <= 1, "no type has two"
    return found[0] if found else None


_TABLE: Final = """
create table child (
    key text primary key,
    parent text not null,
    body_hash blob not null,
    alive integer not null
) without rowid;
create index of_parent on child (parent) where alive;
"""

_OF_PARENTS: Final = """
select parent, key, body_hash from child
where alive and parent in (select value from json_each(?))
"""
