"""A value in the binary format of its type: whole columns at once, and one by one.

Many rows go through COPY, encoded by the column; building that costs milliseconds, so a few rows
are encoded value by value. Both give the same bytes.
"""

import re
import struct
from collections.abc import Sequence
from typing import Any, Final, assert_never

import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder

from sink.tables import Column, Transport

NUL_SHOWN_AS: Final = "\u2400"
"""Postgres holds no NUL, neither in text nor in jsonb: it is written as the sign for it (␀)."""
MICROS_MIN: Final = -210_866_803_200_000_000
"""The earliest time that Postgres holds, microseconds since 1970; the latest is out of reach."""

_NUL_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_JSONB_VERSION: Final = b"\x01"
_POSTGRES_EPOCH_MICROS: Final = 946_684_800_000_000
_BEFORE_JSON: Final[Any] = pa.scalar(_JSONB_VERSION, type=pa.binary())
_NOTHING: Final[Any] = pa.scalar(b"", type=pa.binary())
_BIGINT: Final = struct.Struct(">q")
_DOUBLE: Final = struct.Struct(">d")


def field_of(value: Any, transport: Transport) -> bytes | None:
    """One value; a time is given in microseconds since 1970, not before `MICROS_MIN`."""
    if value is None:
        return None
    match transport:
        case Transport.TEXT:
            return _text(value, json=False).encode()
        case Transport.JSONB:
            return _JSONB_VERSION + _text(value, json=True).encode()
        case Transport.BOOLEAN:
            return b"\x01" if value else b"\x00"
        case Transport.BIGINT:
            return _BIGINT.pack(value)
        case Transport.DOUBLE:
            return _DOUBLE.pack(value)
        case Transport.TIMESTAMPTZ:
            return _BIGINT.pack(value - _POSTGRES_EPOCH_MICROS)
        case _:
            assert_never(transport)


def copy_chunks(rows: pa.RecordBatch, columns: Sequence[Column]) -> list[bytes]:
    """A binary COPY of `rows`, whose columns are `columns`; no time is before `MICROS_MIN`."""
    arrays = [_sent(rows.column(column.name), column.transport) for column in columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=[column.name for column in columns])
    # Encoders of its own for each column would cost more than all the rest, where rows are few.
    encoder = ArrowToPostgresBinaryEncoder(batch.schema)
    return [encoder.write_header(), encoder.write_batch(batch), encoder.finish()]


def _sent(array: "pa.Array[Any]", transport: Transport) -> "pa.Array[Any]":
    """The array in the type whose bytes are sent as this transport's."""
    shown = _without_nul(array, transport)
    if transport is not Transport.JSONB:
        return shown
    framed: pa.Array[Any] = pc.binary_join_element_wise(
        _BEFORE_JSON, shown.cast(pa.binary()), _NOTHING
    )
    return framed


def _without_nul(array: "pa.Array[Any]", transport: Transport) -> "pa.Array[Any]":
    """The array as it is, or with each NUL replaced; looking costs one pass over the bytes."""
    if transport is not Transport.TEXT and transport is not Transport.JSONB:
        return array
    found = array.buffers()[2]
    if found is None:
        return array
    data, json = found.to_pybytes(), transport is Transport.JSONB
    # A single byte is found many times as fast as several, and most JSON has no backslash.
    if not (b"\\" in data and b"\\u0000" in data if json else b"\x00" in data):
        return array
    shown = [text if text is None else _text(text, json=json) for text in array.to_pylist()]
    replaced: pa.Array[Any] = pa.array(shown, type=pa.string())
    return replaced


def _text(text: str, *, json: bool) -> str:
    """The text without a NUL; in JSON it stands escaped, and an escaped backslash is none."""
    if not json:
        return text.replace("\x00", NUL_SHOWN_AS)
    if "\\u0000" not in text:
        return text
    return _NUL_IN_JSON.sub(rf"\1{NUL_SHOWN_AS}", text)
