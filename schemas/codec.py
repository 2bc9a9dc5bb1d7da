"""Records to bytes and back: the Confluent wire format around Avro, one by one and by the batch.

Timestamps are whole microseconds since 1970 UTC in both directions, never `datetime`: a datetime
ends at the year 9999 and costs more than the rest of the record. The bytes are the same.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import fastavro
import orjson
import pyarrow as pa
import pyruhvro

from schemas.errors import BadFrame, BadRecord

_FRAME: Final = struct.Struct(">BI")
FRAME_BYTES: Final = _FRAME.size
ONE_BY_ONE_MAX: Final = 8
"""Up to so many records, building an Arrow array for each column costs more than it saves."""


def frame(schema_id: int, body: bytes) -> bytes:
    """An Avro body in the Confluent wire format."""
    return _FRAME.pack(0, schema_id) + body


def unframe(value: bytes) -> tuple[int, bytes]:
    """The schema id and the Avro body of a value.

    Raises:
        BadFrame: it is too short or does not begin with a zero byte.
    """
    if len(value) < FRAME_BYTES or value[0] != 0:
        raise BadFrame("the value does not begin with a zero byte and 4 bytes of schema id")
    schema_id: int = _FRAME.unpack_from(value)[1]
    return schema_id, value[FRAME_BYTES:]


class RecordCodec:
    """One record at a time, by `fastavro`: for tests, tools and single records.

    Args:
        schema: an Avro record schema of this package, as JSON.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = fastavro.parse_schema(_without_logical_types(schema))

    def encode(self, record: Mapping[str, Any]) -> bytes:
        """The Avro body of a record; a field that is absent takes its default.

        Raises:
            BadRecord: a field is unknown, required and absent, or of another kind.
        """
        body = io.BytesIO()
        try:
            fastavro.schemaless_writer(body, self._schema, record, strict_allow_default=True)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            raise BadRecord(
                f"the record does not fit its schema: {type(error).__name__}"
            ) from error
        return body.getvalue()

    def decode(self, body: bytes) -> dict[str, Any]:
        """Every field of a record by its name.

        Raises:
            BadRecord: the bytes are not a record of this schema.
        """
        stream = io.BytesIO(body)
        try:
            record = fastavro.schemaless_reader(stream, self._schema, None)
        except (ValueError, TypeError, EOFError, IndexError, KeyError) as error:
            raise BadRecord(
                f"the bytes are no record of this schema: {type(error).__name__}"
            ) from error
        if stream.tell() != len(body) or not isinstance(record, dict):
            raise BadRecord("bytes are left over after the record")
        return record


class BatchCodec:
    """Many records at a time, column by column, by `pyruhvro`.

    Args:
        schema: an Avro record schema of this package, as JSON.

    Attributes:
        arrow_schema: what `decode` gives: strings, 64-bit integers, doubles, booleans and
            timestamps in microseconds without a zone (they are UTC).
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._text = orjson.dumps(schema).decode()
        self._one_by_one = RecordCodec(schema)
        self.arrow_schema: pa.Schema = pyruhvro.avro_to_arrow_schema(self._text)

    def encode(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[bytes]:
        """The Avro bodies of `count` records, given as columns; an absent column is all null.

        Raises:
            BadRecord: a column is unknown, of another length or kind, or has a forbidden null.
        """
        unknown = columns.keys() - set(self.arrow_schema.names)
        if unknown:
            raise BadRecord(f"the schema has no field {', '.join(sorted(unknown))}")
        if any(len(values) != count for values in columns.values()):
            raise BadRecord("the columns are not of one length")
        if count <= ONE_BY_ONE_MAX:
            return [
                self._one_by_one.encode({name: values[row] for name, values in columns.items()})
                for row in range(count)
            ]
        return self._encode_columns(columns, count)

    def _encode_columns(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[bytes]:
        try:
            batch = pa.RecordBatch.from_arrays(
                [_array(field, columns.get(field.name), count) for field in self.arrow_schema],
                schema=self.arrow_schema,
            )
            # One chunk: the records stay in one array, and more threads gain nothing here.
            (bodies,) = pyruhvro.serialize_record_batch(batch, self._text, 1)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise BadRecord(
                f"the columns do not fit the schema: {type(error).__name__}"
            ) from error
        found: list[bytes] = bodies.to_pylist()
        return found

    def decode(self, bodies: Sequence[bytes]) -> pa.RecordBatch:
        """The records of Avro bodies, as columns.

        Raises:
            BadRecord: one of them is no record of this schema; which one, `RecordCodec` tells.
        """
        try:
            batch: pa.RecordBatch = pyruhvro.deserialize_array(
                bodies if isinstance(bodies, list) else list(bodies), self._text
            )
            # The decoder takes strings as they come; text that is no UTF-8 would fail further on.
            batch.validate(full=True)
        except ValueError as error:
            raise BadRecord("a body of the batch is no record of this schema") from error
        return batch


def _array(field: "pa.Field[Any]", values: Sequence[Any] | None, count: int) -> "pa.Array[Any]":
    if values is None or (values[0] is None and values.count(None) == count):
        nulls: pa.Array[Any] = pa.nulls(count, field.type)
        return nulls
    first = values[0]
    # Only of text is equal also the same: `1 == True`. The last value tells most columns apart.
    if isinstance(first, str) and values[-1] == first and values.count(first) == count:
        same: pa.Array[Any] = pa.repeat(pa.scalar(first, type=field.type), count)
        return same
    array: pa.Array[Any] = pa.array(values, type=field.type)
    return array


def _without_logical_types(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same bytes, read and written as plain numbers."""
    fields = [
        {"name": field["name"], "type": _plain(field["type"]), **_default(field)}
        for field in schema["fields"]
    ]
    return {
        "type": "record",
        "name": schema["name"],
        "namespace": schema.get("namespace", ""),
        "fields": fields,
    }


def _plain(avro_type: Any) -> Any:
    if isinstance(avro_type, list):
        return [_plain(branch) for branch in avro_type]
    if isinstance(avro_type, dict) and "logicalType" in avro_type:
        return avro_type["type"]
    return avro_type


def _default(field: Mapping[str, Any]) -> dict[str, Any]:
    return {"default": field["default"]} if "default" in field else {}
