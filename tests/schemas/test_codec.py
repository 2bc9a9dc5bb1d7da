"""Both codecs write the same bytes and read the same values, and frames are the registry's."""

import io
import math
import os
import struct
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import ONE_BY_ONE_MAX, BatchCodec, RecordCodec, frame, unframe
from schemas.errors import BadFrame, BadRecord
from schemas.objects import ObjectType, load_catalogue
from tests.schemas.drawn_records import as_columns, extreme_rows, records

EVERY_TYPE = (*load_catalogue(), load_catalogue().get("v2.core.account"))
SUBSCRIPTION = load_catalogue().get("subscription")
EXAMPLES = int(os.environ.get("STRIPELINE_TEST_EXAMPLES", "60"))
SMALL = load_catalogue().get("tax_id")


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    plain = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(plain, names=batch.schema.names).to_pylist()


@pytest.mark.parametrize("object_type", EVERY_TYPE, ids=lambda found: found.name)
def test_both_codecs_write_the_same_bytes_and_read_the_same_values(
    object_type: ObjectType,
) -> None:
    rows = extreme_rows(object_type.schema) * 2
    one, many = RecordCodec(object_type.schema), BatchCodec(object_type.schema)
    assert len(rows) > ONE_BY_ONE_MAX

    bodies = many.encode(as_columns(rows), len(rows))

    assert bodies == [one.encode(row) for row in rows]
    assert [one.decode(body) for body in bodies] == rows
    assert rows_of(many.decode(bodies)) == rows


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_record_survives_either_codec_written_by_either(data: st.DataObject) -> None:
    object_type = data.draw(st.sampled_from([SMALL, load_catalogue().get("balance_transaction")]))
    rows = data.draw(st.lists(records(object_type.schema), min_size=1, max_size=12))
    one, many = RecordCodec(object_type.schema), BatchCodec(object_type.schema)

    bodies = many.encode(as_columns(rows), len(rows))

    assert bodies == [one.encode(row) for row in rows]
    assert [one.decode(body) for body in bodies] == rows
    assert rows_of(many.decode(bodies)) == rows


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_columns_of_one_value_have_the_bytes_of_any_others(data: st.DataObject) -> None:
    record = data.draw(records(SMALL.schema))
    rows = [record] * (ONE_BY_ONE_MAX + 1)

    bodies = BatchCodec(SMALL.schema).encode(as_columns(rows), len(rows))

    assert bodies == [RecordCodec(SMALL.schema).encode(record)] * len(rows)


def test_a_reader_that_follows_the_schema_gets_times_as_utc_datetimes() -> None:
    body = RecordCodec(SUBSCRIPTION.schema).encode(
        required() | {"trial_end": 1_700_000_000_000_001}
    )

    schema = fastavro.parse_schema(dict(SUBSCRIPTION.schema))
    read = fastavro.schemaless_reader(io.BytesIO(body), schema, None)

    assert isinstance(read, dict)
    assert read["trial_end"].isoformat() == "2023-11-14T22:13:20.000001+00:00"


def test_absent_fields_are_null_in_both_codecs() -> None:
    row = required()
    one, many = RecordCodec(SUBSCRIPTION.schema), BatchCodec(SUBSCRIPTION.schema)
    count = ONE_BY_ONE_MAX + 1

    bodies = many.encode({name: [value] * count for name, value in row.items()}, count)

    assert bodies == [one.encode(row)] * count
    assert one.decode(bodies[0])["customer_id"] is None


def test_few_records_have_the_same_bytes_as_many() -> None:
    many = BatchCodec(SUBSCRIPTION.schema)
    row = required() | {"id": "sub_1", "metadata": '{"a":"é"}'}

    few = many.encode({name: [value] for name, value in row.items()}, 1)
    plenty = many.encode({name: [value] * 100 for name, value in row.items()}, 100)

    assert few * 100 == plenty


def test_not_a_number_survives() -> None:
    many = BatchCodec(SUBSCRIPTION.schema)
    row = required() | {"application_fee_percent": math.nan}

    (body,) = many.encode({name: [value] for name, value in row.items()}, 1)

    assert math.isnan(RecordCodec(SUBSCRIPTION.schema).decode(body)["application_fee_percent"])


def test_no_records_are_no_bodies_and_an_empty_batch() -> None:
    many = BatchCodec(SUBSCRIPTION.schema)

    assert many.encode({}, 0) == []
    assert many.decode([]).num_rows == 0
    assert many.decode([]).schema.equals(many.arrow_schema)


@pytest.mark.parametrize("count", [1, ONE_BY_ONE_MAX + 1])
@pytest.mark.parametrize(
    "wrong",
    [
        {"no_such_field": "x"},
        {"trial_end": "yesterday"},
        {"trial_end": 2**63},
        {"livemode": "yes"},
        {"id": 5},
        {"id": "\ud800"},
        {"_event_at": None},
    ],
    ids=",".join,
)
def test_a_record_that_does_not_fit_is_refused(wrong: dict[str, Any], count: int) -> None:
    row = required() | wrong

    with pytest.raises(BadRecord):
        BatchCodec(SUBSCRIPTION.schema).encode(
            {name: [v] * count for name, v in row.items()}, count
        )
    with pytest.raises(BadRecord):
        RecordCodec(SUBSCRIPTION.schema).encode(row)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(BadRecord):
        BatchCodec(SUBSCRIPTION.schema).encode({"id": ["a", "b"], "status": ["active"]}, 2)


@pytest.mark.parametrize("body", [b"", b"\x02", b"\x7f" * 40, b"\x02\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_record_are_refused(body: bytes) -> None:
    with pytest.raises(BadRecord):
        RecordCodec(SUBSCRIPTION.schema).decode(body)
    with pytest.raises(BadRecord):
        BatchCodec(SUBSCRIPTION.schema).decode([body])


def test_text_that_is_not_utf_8_is_refused() -> None:
    body = RecordCodec(SUBSCRIPTION.schema).encode(required() | {"id": "sub_1"})
    broken = body.replace(b"sub_1", b"sub_\xff")

    with pytest.raises(BadRecord):
        RecordCodec(SUBSCRIPTION.schema).decode(broken)
    with pytest.raises(BadRecord):
        BatchCodec(SUBSCRIPTION.schema).decode([body, broken])


def test_bytes_left_over_after_a_record_are_refused() -> None:
    body = RecordCodec(SUBSCRIPTION.schema).encode(required())

    with pytest.raises(BadRecord):
        RecordCodec(SUBSCRIPTION.schema).decode(body + b"\x00")


@given(st.integers(0, 2**32 - 1), st.binary(max_size=50))
def test_a_frame_gives_back_what_was_framed(schema_id: int, body: bytes) -> None:
    assert unframe(frame(schema_id, body)) == (schema_id, body)


def test_a_frame_is_a_zero_byte_and_the_id_in_network_order() -> None:
    assert frame(258, b"x") == struct.pack(">bI", 0, 258) + b"x" == b"\x00\x00\x00\x01\x02x"


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01x"])
def test_what_is_no_frame_is_refused(value: bytes) -> None:
    with pytest.raises(BadFrame):
        unframe(value)


def required() -> dict[str, Any]:
    return {"_event_at": 1, "_received_at": 2, "_operation": "updated", "_source": "webhook"}
