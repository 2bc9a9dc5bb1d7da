"""From records to rows, without a database: newest of each key, tables, what cannot be read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RegistryUnreachable, SchemaRefused, SchemaUnknown
from schemas.topics import Names
from sink import few_rows, many_rows
from sink.batch import Record
from sink.errors import RegistryRefuses
from sink.load import Load, TableRows
from sink.loader import FEW_MAX, Loader
from tests.sink.changes import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    EPOCH,
    JSONB,
    NUMERIC,
    TEXT,
    TICKET,
    TIMESTAMP,
    Held,
    Workshop,
    batch_of,
    change,
)
from tests.sink.changes import schema_of as schema_with
from tests.sink.copy_reader import rows_of

WORKSHOP = Workshop()
EVERY_TYPE: Mapping[str, Mapping[str, Any]] = {
    "word": TEXT,
    "body": JSONB,
    "exact": NUMERIC,
    "share": DOUBLE,
    "amount": BIGINT,
    "good": BOOLEAN,
    "moment": TIMESTAMP,
}


@pytest.fixture(params=[0, FEW_MAX], ids=["by the column", "one by one"], name="few_max")
def _few_max(request: pytest.FixtureRequest) -> int:
    """Both ways of making rows."""
    few_max: int = request.param
    return few_max


def loaded(records: Sequence[Record], few_max: int, workshop: Workshop = WORKSHOP) -> Load:
    return workshop.loader(few_max=few_max).load(batch_of(records))


def texts(table: TableRows, column: str) -> list[str | None]:
    """A text column of the rows."""
    at = [one.name for one in table.columns].index(column)
    return [None if (data := row[at]) is None else data.decode() for row in rows_of(table)]


changes_of_keys = st.lists(
    st.tuples(st.sampled_from(["a", "b", "é", "🦄", "z"]), st.integers(0, 5)),
    min_size=1,
    unique=True,
)


@given(changes_of_keys, st.randoms(use_true_random=False))
def test_the_newest_of_each_key_remains_in_the_order_of_the_keys(
    changes: list[tuple[str, int]], random: Any
) -> None:
    random.shuffle(changes)
    newest = {key: max(at for one, at in changes if one == key) for key, _at in changes}
    rows = [{"id": key, "_event_at": at} for key, at in changes]
    one_by_one = few_rows.newest_of_each_key(rows, ("id",))
    by_column = many_rows.newest_of_each_key(pa.RecordBatch.from_pylist(rows), ("id",))
    assert [(row["id"], row["_event_at"]) for row in one_by_one] == sorted(newest.items())
    assert by_column.to_pylist() == one_by_one


def test_a_row_without_a_key_is_left_to_postgres() -> None:
    rows = [{"id": key, "_event_at": at} for key, at in (("a", 1), (None, 1), (None, 2))]
    assert len(few_rows.newest_of_each_key(rows, ("id",))) == 3
    assert many_rows.newest_of_each_key(pa.RecordBatch.from_pylist(rows), ("id",)).num_rows == 3


def test_rows_of_which_none_has_a_key_are_left_to_postgres(few_max: int) -> None:
    (table,) = loaded(WORKSHOP.records([change(None, 1), change(None, 2)]), few_max).tables
    assert texts(table, "id") == [None, None]


@settings(deadline=None, max_examples=150)
@given(
    st.fixed_dictionaries(
        {
            "word": st.none() | st.text(),
            "body": st.none() | st.text().map(json.dumps),
            "exact": st.none() | st.decimals(allow_nan=False, allow_infinity=False).map(str),
            "share": st.none() | st.floats(),
            "amount": st.none() | st.integers(-(2**63), 2**63 - 1),
            "good": st.none() | st.booleans(),
            "moment": st.none() | st.integers(-210_866_803_200_000_000, 2**63 - 1),
            "_account_id": st.none() | st.just("acct_1"),
        }
    )
)
def test_both_ways_of_making_rows_give_the_same_bytes(values: dict[str, Any]) -> None:
    workshop = Workshop(schemas={1: schema_with(EVERY_TYPE)})
    records = workshop.records([change("a", 1, **values), change("b", 2)])
    by_column, one_by_one = (loaded(records, few, workshop).tables for few in (0, FEW_MAX))
    assert [table.name for table in by_column] == [table.name for table in one_by_one]
    for column_wise, row_wise in zip(by_column, one_by_one, strict=True):
        assert column_wise.columns == row_wise.columns
        assert column_wise.key == row_wise.key
        assert rows_of(column_wise) == rows_of(row_wise)


def test_records_of_two_schemas_become_rows_of_one_table(few_max: int) -> None:
    workshop = Workshop(
        schemas={1: schema_with(TICKET), 2: schema_with({**TICKET, "later": TEXT})}
    )
    old = workshop.records([change("a", 1, title="old")], schema_id=1)
    new = workshop.records([change("b", 2, later="new")], schema_id=2, first_offset=1)
    (table,) = loaded([*old, *new], few_max, workshop).tables
    assert texts(table, "id") == ["a", "b"]
    assert texts(table, "later") == [None, "new"]
    assert texts(table, "title") == ["old", None]
    assert [writer.schema_id for writer in table.writers] == [1, 2]


def test_connected_accounts_rows_go_to_a_schema_of_their_own(few_max: int) -> None:
    records = WORKSHOP.records(
        [
            change("a", 1, title="ours"),
            change("a", 2, title="theirs", _account_id="acct_2"),
            change("a", 3, title="others", _account_id="acct_1"),
        ]
    )
    ours, theirs = loaded(records, few_max).tables
    assert str(ours.name) == "stripe.ticket"
    assert ours.key == ("id",)
    assert texts(ours, "title") == ["ours"]
    assert str(theirs.name) == "stripe_connect.ticket"
    assert theirs.key == ("_account_id", "id")
    assert texts(theirs, "title") == ["others", "theirs"]


def test_each_topic_is_a_table(few_max: int) -> None:
    one = WORKSHOP.records([change("a", 1)], topic="t.ticket")
    two = WORKSHOP.records([change("a", 1)], topic="t.checkout_session")
    assert [str(table.name) for table in loaded(one + two, few_max).tables] == [
        "stripe.checkout_session",
        "stripe.ticket",
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "BadFrame"),
        (b'{"id": "a"}', "BadFrame"),
        (b"\x00\x00\x00\x00\x01", "BadRecord"),
        (b"\x00\x00\x00\x00\x01\xff\xff\xff", "BadRecord"),
        (b"\x00\x00\x00\x00\x63\x00", "SchemaUnknown"),
        (b"\x00\x00\x00\x00\x02\x00", "UnusableSchema"),
    ],
)
def test_a_record_that_cannot_be_read_is_dead_and_the_rest_are_rows(
    value: bytes, reason: str, few_max: int
) -> None:
    schemas = {**WORKSHOP.schemas, 2: {**schema_with({}), "fields": []}}

    def writer_schema(schema_id: int) -> dict[str, Any]:
        if schema_id not in schemas:
            raise SchemaUnknown("no such schema")
        return schemas[schema_id]

    good = WORKSHOP.records([change("a", 1), change("b", 2)])
    bad = Held(value_=value, offset_=7)
    loader = Loader(
        names=Names(namespace="t"),
        schema="stripe",
        writer_schema=writer_schema,
        few_max=few_max,
    )
    load = loader.load(batch_of([good[0], bad, good[1]]))
    (dead,) = load.dead
    assert (dead.record, dead.reason) == (bad, reason)
    assert dead.stack.splitlines()[-1] == reason
    assert [texts(table, "id") for table in load.tables] == [["a", "b"]]


def test_a_time_before_postgres_calendar_is_dead(few_max: int) -> None:
    early = WORKSHOP.records([{**change("a", 1), "_event_at": -(2**63)}])
    good = WORKSHOP.records([change("b", 1)], first_offset=1)
    load = loaded([*early, *good], few_max)
    assert [dead.reason for dead in load.dead] == ["TimeOutOfRange"]
    assert [texts(table, "id") for table in load.tables] == [["b"]]


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        *(
            (text, [])
            for text in ("12.50", "-0", "+7", ".5", "5.", "1e3", "1.5E-20", "9" * 1_000, None)
        ),
        *(
            (text, ["BadDecimal"])
            for text in ("", "many", "NaN", "Infinity", "1,5", " 1", "1\n", "0x10", "1_0", "٣")
        ),
        *((text, ["BadDecimal"]) for text in (".", "1e", "1e1000", "9" * 1_001)),
    ],
)
def test_a_decimal_that_is_none_is_dead_and_the_rest_are_rows(
    text: str | None, dead: list[str], few_max: int
) -> None:
    workshop = Workshop(schemas={1: schema_with(EVERY_TYPE)})
    records = workshop.records(
        [change("a", 1, exact="1"), change("b", 1, exact=text), change("c", 1)]
    )
    load = loaded(records, few_max, workshop)
    assert [one.reason for one in load.dead] == dead
    wanted = ["a", "c"] if dead else ["a", "b", "c"]
    assert [texts(table, "id") for table in load.tables] == [wanted]


def test_only_columns_with_a_value_are_copied() -> None:
    changes = [change("a", 1, title=None), change("b", 2, title=None, amount=7)]
    (table,) = loaded(WORKSHOP.records(changes), 0).tables
    names = {column.name for column in table.copied}
    assert {"id", "_event_at", "amount"} <= names
    assert "title" not in names
    assert texts(table, "title") == [None, None]


def test_an_empty_value_changes_no_row(few_max: int) -> None:
    load = loaded([Held(value_=None, offset_=3)], few_max)
    assert load.tables == ()
    assert load.dead == ()
    assert list(load.batch.next_offsets().values()) == [4]


def test_a_registry_that_is_away_kills_no_record() -> None:
    def away(_schema_id: int) -> dict[str, Any]:
        raise RegistryUnreachable("no answer")

    loader = Loader(names=Names(namespace="t"), schema="stripe", writer_schema=away)
    with pytest.raises(RegistryUnreachable):
        loader.load(batch_of(WORKSHOP.records([change("a", 1)])))


def test_a_registry_that_lets_nobody_read_stops_the_sink_and_kills_no_record() -> None:
    def forbidden(_schema_id: int) -> dict[str, Any]:
        raise SchemaRefused("the schema registry refused (403)")

    loader = Loader(names=Names(namespace="t"), schema="stripe", writer_schema=forbidden)
    with pytest.raises(RegistryRefuses, match="SCHEMA_REGISTRY_URL"):
        loader.load(batch_of(WORKSHOP.records([change("a", 1)])))


def test_the_oldest_arrival_is_known(few_max: int) -> None:
    load = loaded(WORKSHOP.records([change("a", 5), change("b", 3), change("c", 9)]), few_max)
    assert load.received_at_oldest == EPOCH + 3
    assert load.consumed == {"t.ticket": 3}


def test_a_nul_is_written_as_the_sign_for_it(few_max: int) -> None:
    workshop = Workshop(schemas={1: schema_with({"body": TICKET["body"], "title": TEXT})})
    body = r'{"a": "x\u0000y", "b": "\\u0000", "c": "\\\u0000"}'
    records = workshop.records([change("a", 1, body=body, title="x\x00y"), change("b", 1)])
    (table,) = loaded(records, few_max, workshop).tables
    assert texts(table, "title") == ["x\u2400y", None]
    assert (
        texts(table, "body")[0]
        == "\x01" + '{"a": "x\u2400y", "b": "\\\\u0000", "c": "\\\\\u2400"}'
    )


def test_numbers_of_64_bits_travel_whole(few_max: int) -> None:
    workshop = Workshop(schemas={1: schema_with({"amount": BIGINT})})
    records = workshop.records([change("a", 1, amount=2**63 - 1), change("b", 1, amount=-(2**63))])
    (table,) = loaded(records, few_max, workshop).tables
    at = [column.name for column in table.columns].index("amount")
    assert [int.from_bytes(row[at] or b"", signed=True) for row in rows_of(table)] == [
        2**63 - 1,
        -(2**63),
    ]
