"""A few records of one table to rows, one by one: the same rows as `many_rows` gives, sooner."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from schemas.meta import ACCOUNT_ID, EVENT_AT, EXTRA
from sink.copy_format import field_of
from sink.load import WRITER, TableRows, WriterSchema
from sink.tables import ID, TableName, key_of

Row = Mapping[str, Any]


def few_rows(
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
    columns = {column.name: column for writer, _rows in parts for column in writer.shape.columns}
    rows = [row for writer, batch in parts for row in _as_rows(batch, writer, marked=marked)]
    staged = (*columns.values(), WRITER) if marked else tuple(columns.values())
    found = []
    for name, connected in ((own, False), (connect, True)):
        key = key_of(connect=connected)
        ours = [row for row in rows if (row[ACCOUNT_ID] is not None) is connected]
        if ours:
            found.append(
                TableRows(
                    name=name,
                    key=key,
                    writers=tuple(writer for writer, _rows in parts),
                    columns=tuple(columns.values()),
                    few=[
                        [field_of(row.get(column.name), column.transport) for column in staged]
                        for row in newest_of_each_key(ours, key)
                    ],
                    copy=(),
                    marked=marked,
                )
            )
    return found


def newest_of_each_key(rows: Iterable[Row], key: Sequence[str]) -> list[Row]:
    """The row with the highest `_event_at` of each key, in the order of the keys."""
    newest: dict[tuple[str, ...], Row] = {}
    without_key: list[Row] = []
    for row in rows:
        if row[ID] is None:
            # It is like no other: Postgres shall say what it thinks of it.
            without_key.append(row)
            continue
        named = tuple(row[name] for name in key)
        if named not in newest or row[EVENT_AT] > newest[named][EVENT_AT]:
            newest[named] = row
    return [newest[named] for named in sorted(newest)] + without_key


def _as_rows(batch: pa.RecordBatch, writer: WriterSchema, *, marked: bool) -> list[dict[str, Any]]:
    """The records as dictionaries, times in microseconds since 1970."""
    values = [
        (column.view(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in batch.columns
    ]
    names = batch.schema.names
    rows = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    if marked:
        for row in rows:
            row[WRITER.name] = None if row.get(EXTRA) is None else writer.schema_id
    return rows
