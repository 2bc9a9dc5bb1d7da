"""Reads a binary COPY back, to see what was encoded."""

import struct
from collections.abc import Sequence

from sink.load import Fields, TableRows

HEADER_BYTES = 19
FIELD_COUNT = struct.Struct(">h")
FIELD_LENGTH = struct.Struct(">i")


def fields_of(chunks: Sequence[bytes]) -> list[list[bytes | None]]:
    """Each row's fields, in the binary format of their types."""
    stream = b"".join(chunks)
    rows: list[list[bytes | None]] = []
    at = HEADER_BYTES
    while True:
        (count,) = FIELD_COUNT.unpack_from(stream, at)
        at += FIELD_COUNT.size
        if count < 0:
            assert at == len(stream)
            return rows
        fields: list[bytes | None] = []
        for _ in range(count):
            (length,) = FIELD_LENGTH.unpack_from(stream, at)
            at += FIELD_LENGTH.size
            fields.append(None if length < 0 else stream[at : at + length])
            at += max(0, length)
        rows.append(fields)


def rows_of(table: TableRows) -> Sequence[Fields]:
    """The rows, whichever way they were encoded, with all columns that travel."""
    if not table.copy:
        return table.few
    names = [column.name for column in table.copied]
    whole = [dict(zip(names, row, strict=True)) for row in fields_of(table.copy)]
    return [[row.get(column.name) for column in table.staged] for row in whole]
