"""A rebuild's shadow in Postgres: filled from the topic, with how far each partition was read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sink.batch import place_of
from sink.errors import PostgresRefused, RebuildTaken
from sink.load import Load, TableRows
from sink.postgres import Connection, translated
from sink.rebuild_tables import Working, shadow_statements
from sink.sql import query
from sink.tables import TableName, key_of, lock_key, quoted

_LOCK_CLASS: Final = 0x7374_7262
"""Advisory locks of rebuilds: one of a table at a time."""
LOCK_TIMEOUT: Final = "3s"
_LOCK_NOT_HAD: Final = "55P03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record that could not become a row, and one constant word why."""

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """How far one partition was read."""

    partition: int
    topic_id: str
    next_offset: int
    records: int
    schema_ids: tuple[int, ...]


class Shadow:
    """The shadow of one object's tables; used by one thread of one process.

    Args:
        connection: its session.
        own: the table of the merchant's own rows.
        connect: the table of the connected accounts' rows.
    """

    def __init__(self, connection: Connection, *, own: TableName, connect: TableName) -> None:
        self._connection = connection
        self.own = Working(target=own, key=key_of(connect=False))
        self.connect = Working(target=connect, key=key_of(connect=True))
        self._fits: dict[TableName, set[int]] = {}
        self._name = [own.schema, own.table]
        self._begin, self._end = query("rebuild_begin"), query("rebuild_end")
        self._progress_of, self._advance = query("rebuild_progress"), query("rebuild_advance")
        self._dead, self._dead_listed = query("rebuild_dead"), query("rebuild_dead_listed")

    def lock(self) -> None:
        """Keep others from rebuilding the same table, as long as this session lives.

        Waits a moment: of a rebuild that was killed Postgres may not have heard yet.

        Raises:
            RebuildTaken: another process does.
        """
        session = self._connection.session()
        try:
            with translated(), session.transaction():
                session.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'")
                session.execute(
                    "select pg_advisory_lock($1, $2)",
                    [_LOCK_CLASS, lock_key(str(self.own.target))],
                )
        except PostgresRefused as refused:
            if refused.sqlstate != _LOCK_NOT_HAD:
                raise
            raise RebuildTaken(
                f"{self.own.target} is being rebuilt or verified by another process; wait for it."
            ) from refused

    def open(
        self, *, topic_id: str, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> dict[int, int]:
        """Begin, or go on where a rebuild was interrupted; the next offset of each partition.

        Args:
            topic_id: of the topic as it is now; what was read of another one is thrown away.
            starts: its partitions and their first offsets.
            ends: how far it is to be read; a shadow that knows more is thrown away as well.
        """
        # A transaction of a rebuild that was killed may be about to end.
        found = self._progress(wait=True)
        same_topic = {one.topic_id for one in found} == {topic_id} and len(found) == len(starts)
        within = all(
            one.next_offset <= max(starts[one.partition], ends[one.partition])
            for one in found
            if same_topic
        )
        if same_topic and within and self._shadow_stands(sum(one.records for one in found)):
            return {one.partition: one.next_offset for one in found}
        self.drop()
        with translated():
            self._connection.session().execute(
                self._begin, [*self._name, topic_id, list(starts), list(starts.values())]
            )
        return dict(starts)

    def _shadow_stands(self, records: int) -> bool:
        """Whether nobody has dropped what was read."""
        names = [self.own.shadow.quoted, self.connect.shadow.quoted]
        with translated():
            row = (
                self._connection.session()
                .execute("select to_regclass($1), to_regclass($2)", names)
                .fetchone()
            )
        return not records or row != (None, None)

    def put(
        self, load: Load, *, reached: Mapping[int, int], next_offsets: Mapping[int, int]
    ) -> None:
        """Take in a load, all of it or nothing.

        Args:
            reached: where its partitions stood before.
            next_offsets: where they stand afterwards.

        Raises:
            PostgresRefused: nothing was taken in.
            PostgresAway: it is unknown whether it was.
            RebuildTaken: somebody else has taken in records of these partitions.
        """
        for rows in load.tables:
            self._fit(rows)
        self._take_in(load, load.tables, reached=reached, next_offsets=next_offsets)

    def note(
        self, load: Load, *, reached: Mapping[int, int], next_offsets: Mapping[int, int]
    ) -> None:
        """Take in how far the topic was read and what is dead; the rows went elsewhere.

        Raises:
            PostgresRefused, PostgresAway, RebuildTaken: as of `put`.
        """
        self._take_in(load, (), reached=reached, next_offsets=next_offsets)

    def _take_in(
        self,
        load: Load,
        tables: Sequence[TableRows],
        *,
        reached: Mapping[int, int],
        next_offsets: Mapping[int, int],
    ) -> None:
        schema_ids = sorted({writer.schema_id for rows in load.tables for writer in rows.writers})
        session = self._connection.session()
        try:
            with translated():
                session.execute("begin")
                for rows in tables:
                    self._copy(rows)
                for one in load.dead:
                    place = place_of(one.record)
                    session.execute(
                        self._dead,
                        [
                            *self._name,
                            place.partition.number,
                            place.offset,
                            one.record.key(),
                            one.reason,
                        ],
                    )
                records = Counter(place_of(one).partition.number for one in load.batch.records)
                for number, offset in next_offsets.items():
                    moved = session.execute(
                        self._advance,
                        [
                            *self._name,
                            number,
                            reached[number],
                            offset,
                            records[number],
                            schema_ids,
                        ],
                    )
                    if moved.rowcount != 1:
                        raise RebuildTaken(
                            f"{self.own.target} is being rebuilt by another process, too."
                        )
                session.execute("commit")
        finally:
            self._connection.rollback()

    def refusal(self, load: Load) -> PostgresRefused | None:
        """Why Postgres would not take these rows; takes nothing in."""
        for rows in load.tables:
            self._fit(rows)
        try:
            with translated():
                self._connection.session().execute("begin")
                for rows in load.tables:
                    self._copy(rows)
        except PostgresRefused as refused:
            return refused
        finally:
            self._connection.rollback()
        return None

    def _fit(self, rows: TableRows) -> None:
        fits = self._fits.setdefault(rows.name, set())
        new = {writer.schema_id for writer in rows.writers} - fits
        if not new:
            return
        session = self._connection.session()
        working = self.connect if rows.name == self.connect.target else self.own
        with translated(), session.transaction():
            # Several processes fill one shadow, and each may be the first.
            session.execute(
                "select pg_advisory_xact_lock($1, $2)", [_LOCK_CLASS + 1, lock_key(str(rows.name))]
            )
            schema = quoted(working.target.schema)
            if session.execute("select to_regnamespace($1)", [schema]).fetchone() == (None,):
                session.execute(f"create schema {schema}")
            for statement in shadow_statements(working, rows.staged):
                session.execute(statement)
        fits |= new

    def _copy(self, rows: TableRows) -> None:
        working = self.connect if rows.name == self.connect.target else self.own
        names = ", ".join(quoted(column.name) for column in rows.copied)
        statement = f"copy {working.shadow.quoted} ({names}) from stdin (format binary)"
        with self._connection.session().cursor().copy(statement) as copy:
            for chunk in rows.copy:
                copy.write(chunk)

    def next_offsets(self) -> dict[int, int]:
        """How far each partition was read."""
        return {one.partition: one.next_offset for one in self._progress()}

    def records(self) -> int:
        """How many records were read."""
        return sum(one.records for one in self._progress())

    def schema_ids(self) -> list[int]:
        """The ids of all schemas that records named."""
        return sorted({known for one in self._progress() for known in one.schema_ids})

    def unreadable(self) -> list[Unreadable]:
        """The records that could not be read, in their order."""
        with translated():
            rows = self._connection.session().execute(self._dead_listed, self._name)
            return [
                Unreadable(partition=number, offset=offset, reason=reason)
                for number, offset, reason in rows
            ]

    def drop(self) -> None:
        """Remove the working tables, and forget how far the topic was read."""
        session = self._connection.session()
        with translated(), session.transaction():
            # Together: a shadow that is gone while its progress stands would look like a topic
            # without records.
            for working in (self.own, self.connect):
                for name in (working.shadow, working.difference):
                    session.execute(f"drop table if exists {name.quoted}")
            session.execute(self._end, self._name)
        self._fits.clear()

    def _progress(self, *, wait: bool = False) -> list["_Progress"]:
        """How far each partition was read; waits for what moves it just now if `wait`."""
        statement = f"{self._progress_of} for update" if wait else self._progress_of
        with translated():
            rows = self._connection.session().execute(statement, self._name)
            return [
                _Progress(
                    partition=number,
                    topic_id=topic_id,
                    next_offset=offset,
                    records=records,
                    schema_ids=tuple(schema_ids),
                )
                for number, topic_id, offset, records, schema_ids in rows
            ]
