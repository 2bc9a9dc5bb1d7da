"""Many records of one table to rows, by the column: newest of each key, sorted, as a COPY."""

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from schemas.meta import ACCOUNT_ID, EVENT_AT, EXTRA
from sink.copy_format import copy_chunks
from sink.load import WRITER, TableRows, WriterSchema
from sink.tables import ID, TableName, history_of, key_of


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
    rows = _one_batch(parts, marked=marked)
    # Half of a type's columns have no value in most batches, and each costs what a full one costs.
    filled = {
        name: values
        for name, values in zip(rows.schema.names, rows.columns, strict=True)
        if name == ID or values.null_count < rows.num_rows
    }
    copied = tuple(
        column
        for column in ((*columns.values(), WRITER) if marked else columns.values())
        if column.name in filled
    )
    narrow = pa.RecordBatch.from_arrays(
        [filled[column.name] for column in copied], names=[column.name for column in copied]
    )
    connected, ours = _by_account(narrow)
    return [
        TableRows(
            name=name,
            key=key,
            writers=tuple(writer for writer, _rows in parts),
            columns=tuple(columns.values()),
            few=(),
            copy=copy_chunks(newest_of_each_key(theirs, key), copied),
            copied=copied,
            history=history,
            marked=marked,
        )
        for name, theirs, key in (
            (connect, connected, key_of(connect=True, history=history)),
            (own, ours, key_of(connect=False, history=history)),
        )
        if theirs.num_rows
    ]


def _one_batch(
    parts: Sequence[tuple[WriterSchema, pa.RecordBatch]], *, marked: bool
) -> pa.RecordBatch:
    """The records of all writers, each with the columns of all, or null."""
    if len(parts) == 1 and not marked:
        return parts[0][1]
    whole = pa.concat_tables(
        [
            _marked(writer, rows) if marked else pa.Table.from_batches([rows])
            for writer, rows in parts
        ],
        promote_options="default",
    )
    return whole.combine_chunks().to_batches()[0]


def _by_account(rows: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """The connected accounts' rows, and the merchant's own."""
    if ACCOUNT_ID not in rows.schema.names:
        return rows.slice(0, 0), rows
    theirs = pc.is_valid(rows.column(ACCOUNT_ID))
    return rows.filter(theirs), rows.filter(pc.invert(theirs))


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


def newest_of_each_key(rows: pa.RecordBatch, key: Sequence[str]) -> pa.RecordBatch:
    """The row with the highest `_event_at` of each key, in the order of the keys.

    Sorted, because two transactions that lock the same rows in one order cannot deadlock, and
    because neighbours in an index are cheap to write.
    """
    order = pc.sort_indices(
        rows, sort_keys=[*((name, "ascending") for name in key), (EVENT_AT, "descending")]
    )
    differs: Any = _NO
    for name in key:
        values = rows.column(name).take(order)
        here: Any = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1))
        # A null key is like no other: Postgres shall say what it thinks of it.
        differs = pc.or_(differs, pc.fill_null(here, _YES))
    if not pc.all(differs).as_py():
        order = pa.concat_arrays([order.slice(0, 1), order.slice(1).filter(differs)])
    return rows.take(order)


# The library takes fifty times as long where it is not told the type.
_YES: Final[Any] = pa.scalar(value=True, type=pa.bool_())
_NO: Final[Any] = pa.scalar(value=False, type=pa.bool_())
