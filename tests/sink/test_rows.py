"""From records to rows, without a database: newest of each key, tables, what cannot be read."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RegistryUnreachable, SchemaUnknown
from schemas.topics import Names
from sink.copy_format import fields_of
from sink.rows import Dead, Load, Loader, TableRows, newest_of_each_key, places
from tests.sink.changes import BIGINT, EPOCH, TEXT, TICKET, Held, Workshop, batch_of, change
from tests.sink.changes import schema_of as schema_with

WORKSHOP = Workshop()


def loaded(records: list[Held], workshop: Workshop = WORKSHOP) -> Load:
    return workshop.loader().load(batch_of(records))


def texts(table: TableRows, column: str) -> list[str | None]:
    """A text column of the rows."""
    at = [one.name for one in table.columns].index(column)
    return [None if (data := row[at]) is None else data.decode() for row in fields_of(table.copy)]


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 5)), min_size=1, unique=True),
    st.randoms(use_true_random=False),
)
def test_the_newest_of_each_key_remains_in_the_order_of_the_keys(
    changes: list[tuple[str, int]], random: Any
) -> None:
    random.shuffle(changes)
    rows = pa.table({"id": [key for key, _at in changes], "_event_at": [at for _, at in changes]})
    kept = newest_of_each_key(rows, ("id",)).to_pydict()
    newest = {key: max(at for one, at in changes if one == key) for key, _at in changes}
    assert list(zip(kept["id"], kept["_event_at"], strict=True)) == sorted(newest.items())


def test_a_row_without_a_key_is_left_to_postgres() -> None:
    rows = pa.table({"id": ["a", None, None], "_event_at": [1, 1, 2]})
    assert newest_of_each_key(rows, ("id",)).num_rows == 3


def test_records_of_two_schemas_become_rows_of_one_table() -> None:
    workshop = Workshop(
        schemas={1: schema_with(TICKET), 2: schema_with({**TICKET, "later": TEXT})}
    )
    old = workshop.records([change("a", 1, title="old")], schema_id=1)
    new = workshop.records([change("b", 2, later="new")], schema_id=2, first_offset=1)
    (table,) = loaded([*old, *new], workshop).tables
    assert texts(table, "id") == ["a", "b"]
    assert texts(table, "later") == [None, "new"]
    assert texts(table, "title") == ["old", None]
    assert [writer.schema_id for writer in table.writers] == [1, 2]


def test_connected_accounts_rows_go_to_a_schema_of_their_own() -> None:
    records = WORKSHOP.records(
        [
            change("a", 1, title="ours"),
            change("a", 2, title="theirs", _account_id="acct_2"),
            change("a", 3, title="others", _account_id="acct_1"),
        ]
    )
    ours, theirs = loaded(records).tables
    assert str(ours.name) == "stripe.ticket"
    assert ours.key == ("id",)
    assert texts(ours, "title") == ["ours"]
    assert str(theirs.name) == "stripe_connect.ticket"
    assert theirs.key == ("_account_id", "id")
    assert texts(theirs, "title") == ["others", "theirs"]


def test_each_topic_is_a_table() -> None:
    one = WORKSHOP.records([change("a", 1)], topic="t.ticket")
    two = WORKSHOP.records([change("a", 1)], topic="t.checkout_session")
    assert [str(table.name) for table in loaded(one + two).tables] == [
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
    ],
)
def test_a_record_that_cannot_be_read_is_dead_and_the_rest_are_rows(
    value: bytes, reason: str
) -> None:
    def writer_schema(schema_id: int) -> dict[str, Any]:
        if schema_id not in WORKSHOP.schemas:
            raise SchemaUnknown("no such schema")
        return WORKSHOP.schemas[schema_id]

    good = WORKSHOP.records([change("a", 1), change("b", 2)])
    bad = Held(value_=value, offset_=7)
    loader = Loader(names=Names(namespace="t"), schema="stripe", writer_schema=writer_schema)
    load = loader.load(batch_of([good[0], bad, good[1]]))
    assert load.dead == (Dead(record=bad, reason=reason),)
    assert [texts(table, "id") for table in load.tables] == [["a", "b"]]


def test_a_time_before_postgres_calendar_is_dead() -> None:
    early = WORKSHOP.records([{**change("a", 1), "_event_at": -(2**63)}])
    good = WORKSHOP.records([change("b", 1)], first_offset=1)
    load = loaded([*early, *good])
    assert [dead.reason for dead in load.dead] == ["TimestampOutOfRange"]
    assert places(load.dead) != places(())
    assert [texts(table, "id") for table in load.tables] == [["b"]]


def test_an_empty_value_changes_no_row() -> None:
    load = loaded([Held(value_=None, offset_=3)])
    assert load.tables == ()
    assert load.dead == ()
    assert list(load.batch.next_offsets().values()) == [4]


def test_a_registry_that_is_away_kills_no_record() -> None:
    def away(_schema_id: int) -> dict[str, Any]:
        raise RegistryUnreachable("no answer")

    loader = Loader(names=Names(namespace="t"), schema="stripe", writer_schema=away)
    with pytest.raises(RegistryUnreachable):
        loader.load(batch_of(WORKSHOP.records([change("a", 1)])))


def test_the_oldest_arrival_is_known() -> None:
    load = loaded(WORKSHOP.records([change("a", 5), change("b", 3), change("c", 9)]))
    assert load.received_at_oldest == EPOCH + 3
    assert load.consumed == {"t.ticket": 3}


def test_a_nul_is_written_as_the_sign_for_it() -> None:
    workshop = Workshop(schemas={1: schema_with({"body": TICKET["body"], "title": TEXT})})
    body = r'{"a": "x\u0000y", "b": "\\u0000", "c": "\\\u0000"}'
    records = workshop.records([change("a", 1, body=body, title="x\x00y"), change("b", 1)])
    (table,) = loaded(records, workshop).tables
    assert texts(table, "title") == ["x\u2400y", None]
    assert (
        texts(table, "body")[0]
        == "\x01" + '{"a": "x\u2400y", "b": "\\\\u0000", "c": "\\\\\u2400"}'
    )


def test_numbers_of_64_bits_travel_whole() -> None:
    workshop = Workshop(schemas={1: schema_with({"amount": BIGINT})})
    records = workshop.records([change("a", 1, amount=2**63 - 1), change("b", 1, amount=-(2**63))])
    (table,) = loaded(records, workshop).tables
    at = [column.name for column in table.columns].index("amount")
    assert [int.from_bytes(row[at] or b"", signed=True) for row in fields_of(table.copy)] == [
        2**63 - 1,
        -(2**63),
    ]
