"""Rows, dead letters and offsets into Postgres, in one transaction.

Many rows of a table come by binary COPY into a temporary table and one guarded upsert from there;
a few come as one guarded upsert each. Both send the same bytes into the same statement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

from sink.batch import Partition, bytes_of, place_of
from sink.claims import Step
from sink.database import DeadRow
from sink.history import link_statement
from sink.load import Form, Load, TableRows
from sink.out_of_extra import said_values
from sink.postgres import Connection, translated
from sink.postgres_offsets import Offsets
from sink.postgres_stages import RowTooLong, Stages
from sink.postgres_tables import Tables
from sink.sql import query
from sink.tables import Guard, Transport, quoted, upsert_sql


@dataclass(frozen=True, slots=True)
class _Field:
    """One value in the binary format of its type; none is null."""

    data: bytes | None


class _Text(_Field):
    __slots__ = ()


class _Jsonb(_Field):
    __slots__ = ()


class _Boolean(_Field):
    __slots__ = ()


class _Bigint(_Field):
    __slots__ = ()


class _Double(_Field):
    __slots__ = ()


class _Timestamptz(_Field):
    __slots__ = ()


_FIELDS: Final[Mapping[Transport, tuple[type[_Field], str]]] = {
    Transport.TEXT: (_Text, "text"),
    Transport.JSONB: (_Jsonb, "jsonb"),
    Transport.BOOLEAN: (_Boolean, "bool"),
    Transport.BIGINT: (_Bigint, "int8"),
    Transport.DOUBLE: (_Double, "float8"),
    Transport.TIMESTAMPTZ: (_Timestamptz, "timestamptz"),
}


def _dumper_of(type_name: str) -> type[Dumper]:
    """Sends a field's bytes as they are, and says of which type they are, also for a null."""

    class FieldDumper(Dumper):
        format = Format.BINARY
        oid = psycopg.postgres.types[type_name].oid

        def dump(self, obj: _Field) -> Buffer | None:
            return obj.data

    return FieldDumper


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upsert:
    """The statements that write rows of one table; `link` is empty where it is no history."""

    statement: str
    link: str = ""


def _upsert_of(table: TableRows, *, kept: Mapping[str, str], stage: str | None) -> _Upsert:
    if stage is None:
        transported = {one.name: f"${at}" for at, one in enumerate(table.staged, 1)}
    else:
        transported = {one.name: f"staged.{quoted(one.name)}" for one in table.staged}
    values = said_values(table.columns, kept=kept, writers=table.writers, transported=transported)
    statement = upsert_sql(
        table.name,
        key=table.key,
        values=values,
        source="" if stage is None else f"from pg_temp.{stage} as staged",
        # A history's key holds the time, so its row is only there if this is a replay.
        guard=Guard.DIFFERENT if table.history else Guard.NEWER,
    )
    if not table.history:
        return _Upsert(statement=statement)
    link = link_statement(table.name, key=table.key, columns=values, stage=f"pg_temp.{stage}")
    return _Upsert(statement=statement, link=link)


class Rows:
    """Writes loads through one session.

    Args:
        connection: the session.
        tables: what is known of the tables.
        offsets: where the offsets stand.
        schema: the Postgres schema of the rows.
    """

    def __init__(
        self, connection: Connection, *, tables: Tables, offsets: Offsets, schema: str
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._offsets = offsets
        self._schema = schema
        self._register = query("register_dead_letter")
        self._generation = 0
        self._stages = Stages()
        self._statements: dict[tuple[Form, str | None, frozenset[tuple[str, str]]], _Upsert] = {}

    def write(
        self, load: Load, *, dead: Sequence[DeadRow], steps: Mapping[Partition, Step]
    ) -> dict[str, int]:
        """Write all of a load, its dead letters' register and its offsets, or nothing of it.

        Returns: how many rows were inserted or updated, by table.

        Raises:
            FenceLost, PostgresRefused: nothing was written.
            PostgresAway: it is unknown whether it was; writing it again is harmless.
            TableDiffers: a table cannot take the rows.
        """
        while True:
            try:
                return self._write(load, dead=dead, steps=steps)
            except RowTooLong:
                # It has another stage from now on, and no table has more than two.
                continue

    def _write(
        self, load: Load, *, dead: Sequence[DeadRow], steps: Mapping[Partition, Step]
    ) -> dict[str, int]:
        session = self._ready_session()
        kept = {
            table.name: self._tables.fit(
                table.name,
                {writer.schema_id: writer.shape for writer in table.writers},
                key=table.key,
            )
            for table in load.tables
        }
        try:
            with translated():
                many = [table for table in load.tables if table.copy]
                staged = self._stages.filled(session, many) if many else {}
                with session.pipeline():
                    if not staged:
                        session.execute("begin")
                    results = [
                        (
                            table.name.table,
                            self._upsert(
                                session,
                                table,
                                kept=kept[table.name],
                                stage=staged.get(table.name),
                            ),
                        )
                        for table in load.tables
                    ]
                    for row in dead:
                        self._register_dead(session, row)
                    self._offsets.advance(steps)
                    session.execute("commit")
            written: dict[str, int] = {}
            for table_name, cursors in results:
                rows = sum(cursor.rowcount for cursor in cursors)
                written[table_name] = written.get(table_name, 0) + rows
            return written
        finally:
            self._connection.rollback()

    def _ready_session(self) -> psycopg.Connection[Any]:
        session = self._connection.session()
        if self._generation != self._connection.generation:
            self._generation = self._connection.generation
            self._stages.forget()
            self._statements.clear()
            for field_class, type_name in _FIELDS.values():
                session.adapters.register_dumper(field_class, _dumper_of(type_name))
        return session

    def _upsert(
        self,
        session: psycopg.Connection[Any],
        table: TableRows,
        *,
        kept: Mapping[str, str],
        stage: str | None,
    ) -> list["psycopg.Cursor[Any]"]:
        place = (table.form, stage, frozenset(kept.items()))
        upsert = self._statements.get(place)
        if upsert is None:
            # Made once: the text is long, and the tables of a batch may be many.
            upsert = self._statements[place] = _upsert_of(table, kept=kept, stage=stage)
        if stage is None:
            classes = [_FIELDS[column.transport][0] for column in table.staged]
            return [
                session.execute(
                    upsert.statement,
                    [one_class(data) for one_class, data in zip(classes, row, strict=True)],
                    prepare=True,
                )
                for row in table.few
            ]
        written = session.execute(upsert.statement, prepare=True)
        if not upsert.link:
            return [written]
        session.execute(upsert.link, prepare=True)
        # A change is counted where it changes the table, not in its history.
        return []

    def _register_dead(self, session: psycopg.Connection[Any], row: DeadRow) -> None:
        record = row.dead.record
        place = place_of(record)
        session.execute(
            self._register,
            [
                self._schema,
                place.partition.topic,
                place.partition.number,
                place.offset,
                bytes_of(record.key()),
                bytes_of(record.value()),
                row.dead.reason,
                row.summary,
            ],
        )
