"""From records to rows: decode by the column, keep the newest of each key, sort, encode."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from schemas.codec import BatchCodec, unframe
from schemas.errors import BadFrame, BadRecord, SchemaUnknown
from schemas.meta import ACCOUNT_ID, EVENT_AT, RECEIVED_AT
from schemas.topics import Names
from sink.batch import Batch, Place, Record, place_of
from sink.copy_format import copy_chunks
from sink.tables import CONNECT_SUFFIX, Column, TableName, TableShape, key_of, shape_of

POSTGRES_MICROS_MIN: Final = -210_866_803_200_000_000
"""The earliest timestamp that Postgres holds, microseconds since 1970; the latest is out of reach
of 64 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSchema:
    """A schema that a record names, and what follows from it."""

    schema_id: int
    shape: TableShape
    codec: BatchCodec = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """What one batch has for one table.

    Attributes:
        name: the table.
        key: its primary key.
        writers: the schemas that these rows were written with; the table must fit all of them.
        columns: the columns of the rows, in the order of the copy.
        count: how many rows there are, each key once, in the order of their keys.
        copy: the rows as a binary COPY.
    """

    name: TableName
    key: tuple[str, ...]
    writers: tuple[WriterSchema, ...]
    columns: tuple[Column, ...]
    count: int
    copy: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A record that cannot become a row, and one constant word why."""

    record: Record
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A batch that is ready for Postgres.

    Attributes:
        batch: the records that it was made from.
        tables: what is written, in the order of the tables' names.
        dead: the records that cannot be read.
        consumed: how many records each topic gave.
        received_at_oldest: when the oldest of them came into the inbox, microseconds; or none.
    """

    batch: Batch
    tables: tuple[TableRows, ...]
    dead: tuple[Dead, ...]
    consumed: Mapping[str, int]
    received_at_oldest: int | None


class Loader:
    """Turns batches into loads; remembers schemas, for a schema's id never changes its meaning.

    Args:
        names: which table a topic belongs to.
        schema: the Postgres schema of the merchant's own rows.
        writer_schema: asks the registry for the schema of an id.
    """

    def __init__(
        self, *, names: Names, schema: str, writer_schema: Callable[[int], Mapping[str, Any]]
    ) -> None:
        self._names = names
        self._schema = schema
        self._writer_schema = writer_schema
        self._writers: dict[int, WriterSchema] = {}

    def load(self, batch: Batch) -> Load:
        """The rows of a batch.

        Raises:
            RegistryUnreachable: a schema could not be fetched now.
            SchemaRefused: the registry gives no schema, whatever the record.
            UnusableSchema: a record's schema cannot be a table.
        """
        by_schema, dead, consumed = _grouped(batch.records)
        decoded: dict[str, list[tuple[WriterSchema, pa.Table]]] = {}
        for (topic, schema_id), records in by_schema.items():
            try:
                writer = self._writer(schema_id)
            except SchemaUnknown:
                dead += [Dead(record=one, reason="SchemaUnknown") for one, _body in records]
                continue
            rows, unreadable = _decoded(writer, records)
            dead += unreadable
            if rows is not None:
                decoded.setdefault(topic, []).append((writer, rows))
        tables = [
            table
            for topic, parts in decoded.items()
            for table in self._tables(self._names.table_of(topic), parts)
        ]
        return Load(
            batch=batch,
            tables=tuple(sorted(tables, key=lambda table: str(table.name))),
            dead=tuple(dead),
            consumed=consumed,
            received_at_oldest=_oldest(
                rows for parts in decoded.values() for _writer, rows in parts
            ),
        )

    def _writer(self, schema_id: int) -> WriterSchema:
        known = self._writers.get(schema_id)
        if known is None:
            schema = self._writer_schema(schema_id)
            known = self._writers[schema_id] = WriterSchema(
                schema_id=schema_id, shape=shape_of(schema), codec=BatchCodec(schema)
            )
        return known

    def _tables(
        self, table: str, parts: Sequence[tuple[WriterSchema, pa.Table]]
    ) -> list[TableRows]:
        """The rows for the merchant's own table, and those for the connected accounts'."""
        writers = tuple(writer for writer, _rows in parts)
        rows = pa.concat_tables([rows for _writer, rows in parts], promote_options="default")
        own = rows.column(ACCOUNT_ID).null_count
        if own == rows.num_rows:
            found = [(self._schema, rows, False)]
        else:
            theirs = pc.is_valid(rows.column(ACCOUNT_ID))
            found = [(self._schema + CONNECT_SUFFIX, rows.filter(theirs), True)]
            if own:
                found.append((self._schema, rows.filter(pc.invert(theirs)), False))
        return [
            _table_rows(TableName(schema=schema, table=table), writers, part, connect=connect)
            for schema, part, connect in found
        ]


def _grouped(
    records: Iterable[Record],
) -> tuple[dict[tuple[str, int], list[tuple[Record, bytes]]], list[Dead], dict[str, int]]:
    """The bodies by topic and schema id; the records without a frame; how many each topic gave."""
    found: dict[tuple[str, int], list[tuple[Record, bytes]]] = {}
    dead: list[Dead] = []
    consumed: dict[str, int] = {}
    for record in records:
        topic, value = record.topic(), record.value()
        assert topic is not None
        consumed[topic] = consumed.get(topic, 0) + 1
        if value is None:
            # It only clears the topic; the row keeps the record that went before it.
            continue
        try:
            schema_id, body = unframe(value if isinstance(value, bytes) else value.encode())
        except BadFrame:
            dead.append(Dead(record=record, reason="BadFrame"))
            continue
        found.setdefault((topic, schema_id), []).append((record, body))
    return found, dead, consumed


def _decoded(
    writer: WriterSchema, records: Sequence[tuple[Record, bytes]]
) -> tuple[pa.Table | None, list[Dead]]:
    """The records as columns, and those that are no record of their schema."""
    try:
        rows = writer.codec.decode([body for _record, body in records])
        _check_timestamps(rows)
        return pa.Table.from_batches([rows]), []
    except (BadRecord, _TimestampOutOfRange):
        pass
    parts: list[pa.RecordBatch] = []
    dead: list[Dead] = []
    for record, body in records:
        try:
            one = writer.codec.decode([body])
            _check_timestamps(one)
            parts.append(one)
        except BadRecord:
            dead.append(Dead(record=record, reason="BadRecord"))
        except _TimestampOutOfRange:
            dead.append(Dead(record=record, reason="TimestampOutOfRange"))
    return (pa.Table.from_batches(parts) if parts else None), dead


class _TimestampOutOfRange(Exception):
    """Postgres' calendar begins in 4714 BC."""


def _check_timestamps(rows: pa.RecordBatch) -> None:
    for column in rows.columns:
        if pa.types.is_timestamp(column.type):
            earliest = pc.min(column.cast(pa.int64())).as_py()
            if earliest is not None and earliest < POSTGRES_MICROS_MIN:
                raise _TimestampOutOfRange


def _table_rows(
    name: TableName, writers: tuple[WriterSchema, ...], rows: pa.Table, *, connect: bool
) -> TableRows:
    columns = {column.name: column for writer in writers for column in writer.shape.columns}
    key = key_of(connect=connect)
    newest = newest_of_each_key(rows.select(list(columns)), key)
    return TableRows(
        name=name,
        key=key,
        writers=writers,
        columns=tuple(columns.values()),
        count=newest.num_rows,
        copy=copy_chunks(newest, list(columns.values())),
    )


def newest_of_each_key(rows: pa.Table, key: Sequence[str]) -> pa.RecordBatch:
    """The row with the highest `_event_at` of each key, in the order of the keys.

    Sorted, because two transactions that lock the same rows in one order cannot deadlock, and
    because neighbours in an index are cheap to write.
    """
    whole = rows.combine_chunks().to_batches()[0]
    order = pc.sort_indices(
        whole, sort_keys=[*((name, "ascending") for name in key), (EVENT_AT, "descending")]
    )
    differs: Any = pa.scalar(value=False)
    for name in key:
        values = whole.column(name).take(order)
        here: Any = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        # A null key is like no other: Postgres shall say what it thinks of it.
        here = pc.fill_null(here, pa.scalar(value=True))
        differs = pc.or_(differs, here)
    first, later = order.slice(0, 1), order.slice(1)
    return whole.take(pa.concat_arrays([first, later.filter(differs)]))


def _oldest(tables: Iterable[pa.Table]) -> int | None:
    found = [
        pc.min(rows.column(RECEIVED_AT).cast(pa.int64())).as_py()
        for rows in tables
        if RECEIVED_AT in rows.column_names
    ]
    return min((value for value in found if value is not None), default=None)


def places(dead: Iterable[Dead]) -> frozenset[Place]:
    """Where dead records stand."""
    return frozenset(place_of(one.record) for one in dead)
