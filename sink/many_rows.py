"""Many records of one table to rows, by the column: newest of each key, sorted, as a COPY."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.meta import ACCOUNT_ID, EVENT_AT, EXTRA
from sink.copy_format import copy_chunks
from sink.load import WRITER, TableRows, WriterSchema
from sink.tables import Column, TableName, history_of, key_of


def many_rows(
    own: TableName,
    connect: TableName,
    parts: Sequence[tuple[WriterSchema, pa.RecordBatch]],
    *,
    marked: bool = False,
) -> list[TableRows]:
    """The rows of the merchant's own table, and those of the connected accounts'.

    Args:
        own: the merchant's table.
        connect: the connected accounts' table.
        parts: the decoded records of each writer's schema.
        marked: whether each row tells its writer.
    """
    return _rows(own, connect, parts, history=False, marked=marked)


def history_rows(
    own: TableName,
    connect: TableName,
    parts: Sequence[tuple[WriterSchema, pa.RecordBatch]],
    *,
    marked: bool = False,
) -> list[TableRows]:
    """The same of the tables of their history, with every change of each key."""
    return _rows(history_of(own), history_of(connect), parts, history=True, marked=marked)


def _rows(
    own: TableName,
    connect: TableName,
    parts: Sequence[tuple[WriterSchema, pa.RecordBatch]],
    *,
    history: bool,
    marked: bool,
) -> list[TableRows]:
    columns = {column.name: column for writer, _rows in parts for column in writer.shape.columns}
    staged = [*columns, WRITER.name] if marked else list(columns)
    rows = pa.concat_tables(
        [
            _marked(writer, rows) if marked else pa.Table.from_batches([rows])
            for writer, rows in parts
        ],
        promote_options="default",
    ).select(staged)
    writers = tuple(writer for writer, _rows in parts)
    kept = tuple(columns.values())
    without_account = rows.column(ACCOUNT_ID).null_count
    if without_account == rows.num_rows:
        return [
            _table_rows(own, writers, kept, rows, connect=False, history=history, marked=marked)
        ]
    theirs = pc.is_valid(rows.column(ACCOUNT_ID))
    connected = rows.filter(theirs)
    found = [
        _table_rows(
            connect, writers, kept, connected, connect=True, history=history, marked=marked
        )
    ]
    if without_account:
        ours = rows.filter(pc.invert(theirs))
        found.append(
            _table_rows(own, writers, kept, ours, connect=False, history=history, marked=marked)
        )
    return found


def _table_rows(
    name: TableName,
    writers: tuple[WriterSchema, ...],
    columns: tuple[Column, ...],
    rows: pa.Table,
    *,
    connect: bool,
    history: bool,
    marked: bool,
) -> TableRows:
    key = key_of(connect=connect, history=history)
    newest = newest_of_each_key(rows, key)
    # Half of a type's columns have no value in most batches, and each costs what a full one costs.
    copied = tuple(
        column
        for column in ((*columns, WRITER) if marked else columns)
        if newest.column(column.name).null_count < newest.num_rows
    )
    return TableRows(
        name=name,
        key=key,
        writers=writers,
        columns=columns,
        few=(),
        copy=copy_chunks(newest, copied),
        copied=copied,
        history=history,
        marked=marked,
    )


def _marked(writer: WriterSchema, rows: pa.RecordBatch) -> pa.Table:
    """The rows with their writer; only `extra` makes it matter."""
    nothing: Any = pa.scalar(None, pa.int64())
    number: Any = pa.scalar(writer.schema_id, pa.int64())
    with_extra: Any = (
        pc.is_valid(rows.column(EXTRA))
        if EXTRA in rows.schema.names
        else pa.array([False] * rows.num_rows)
    )
    marks = pc.if_else(with_extra, number, nothing)
    return pa.Table.from_batches([rows]).append_column(WRITER.name, marks)


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
