"""Columns to the bytes of a binary COPY, and those bytes back to single values.

Both ways into Postgres, COPY and the plain upsert, send the same bytes: there is one encoding of a
value, and so nothing that could differ between a busy and a quiet hour.
"""

import re
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder, encoders, schema

from sink.tables import Column, Transport

if TYPE_CHECKING:
    from pgpq._pgpq import EncoderBuilder

NUL_SHOWN_AS: Final = "\u2400"
"""Postgres holds no NUL, neither in text nor in jsonb: it is written as the sign for it (␀)."""

_HEADER_BYTES: Final = 19
_FIELD_COUNT: Final = struct.Struct(">h")
_FIELD_LENGTH: Final = struct.Struct(">i")
_NUL_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")

_ARROW_TYPES: "dict[Transport, pa.DataType]" = {
    Transport.TEXT: pa.string(),
    Transport.JSONB: pa.string(),
    Transport.BOOLEAN: pa.bool_(),
    Transport.BIGINT: pa.int64(),
    Transport.DOUBLE: pa.float64(),
    Transport.TIMESTAMPTZ: pa.timestamp("us"),
}


def copy_chunks(rows: pa.RecordBatch, columns: Sequence[Column]) -> list[bytes]:
    """A binary COPY of `rows`, whose columns are `columns` in this order.

    Raises:
        ValueError: a timestamp lies outside what Postgres can hold.
    """
    arrays = [_without_nul(rows.column(column.name), column.transport) for column in columns]
    arrow_schema = pa.schema(
        [pa.field(column.name, _ARROW_TYPES[column.transport]) for column in columns]
    )
    encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(
        arrow_schema,
        {column.name: _encoder(arrow_schema.field(column.name), column) for column in columns},
    )
    batch = pa.RecordBatch.from_arrays(arrays, schema=arrow_schema)
    return [encoder.write_header(), encoder.write_batch(batch), encoder.finish()]


def _encoder(field: "pa.Field[Any]", column: Column) -> "EncoderBuilder":
    if column.transport is Transport.JSONB:
        return encoders.StringEncoderBuilder.new_with_output(field, schema.Jsonb())
    return ArrowToPostgresBinaryEncoder.infer_encoder(field)


def _without_nul(array: "pa.Array[Any]", transport: Transport) -> "pa.Array[Any]":
    """The array as it is, or with each NUL replaced; looking costs one pass over the bytes."""
    if array.type != pa.string():
        return array
    found = array.buffers()[2]
    if found is None:
        return array
    raw = found.to_pybytes()
    match transport:
        case Transport.JSONB if b"\\u0000" in raw:
            return _replaced(array, json=True)
        case Transport.TEXT if b"\x00" in raw:
            return _replaced(array, json=False)
        case _:
            return array


def _replaced(array: "pa.Array[Any]", *, json: bool) -> "pa.Array[Any]":
    shown = [
        text
        if text is None
        else _NUL_IN_JSON.sub(rf"\1{NUL_SHOWN_AS}", text)
        if json
        else text.replace("\x00", NUL_SHOWN_AS)
        for text in array.to_pylist()
    ]
    replaced: pa.Array[Any] = pa.array(shown, type=pa.string())
    return replaced


def fields_of(chunks: Sequence[bytes]) -> list[list[bytes | None]]:
    """Each row's fields, in the binary format of their types, out of a binary COPY."""
    stream = memoryview(b"".join(chunks))
    rows: list[list[bytes | None]] = []
    at = _HEADER_BYTES
    while True:
        (count,) = _FIELD_COUNT.unpack_from(stream, at)
        at += _FIELD_COUNT.size
        if count < 0:
            return rows
        fields: list[bytes | None] = []
        for _ in range(count):
            (length,) = _FIELD_LENGTH.unpack_from(stream, at)
            at += _FIELD_LENGTH.size
            if length < 0:
                fields.append(None)
            else:
                fields.append(bytes(stream[at : at + length]))
                at += length
        rows.append(fields)
