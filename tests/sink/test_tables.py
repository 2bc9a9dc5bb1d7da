"""The table that a writer's schema describes, without a database."""

from collections.abc import Mapping
from typing import Any

import pytest

from sink.errors import UnusableSchema
from sink.tables import (
    Guard,
    TableName,
    Transport,
    create_statements,
    index_statements,
    key_of,
    literal,
    quoted,
    shape_of,
    upsert_sql,
    widen_statements,
)
from tests.sink.changes import BIGINT, BOOLEAN, DOUBLE, JSONB, NUMERIC, TEXT, TIMESTAMP, schema_of

EVERY_TYPE: Mapping[str, Mapping[str, Any]] = {
    "text": TEXT,
    "jsonb": JSONB,
    "numeric": NUMERIC,
    "double": DOUBLE,
    "bigint": BIGINT,
    "boolean": BOOLEAN,
    "time": TIMESTAMP,
}
NAME = TableName(schema="stripe", table="ticket")


def test_each_field_becomes_a_column_of_its_sql_type() -> None:
    shape = shape_of(schema_of(EVERY_TYPE))
    assert {
        column.name: (column.sql_type, column.transport)
        for column in shape.columns
        if column.name in EVERY_TYPE
    } == {
        "text": ("text", Transport.TEXT),
        "jsonb": ("jsonb", Transport.JSONB),
        "numeric": ("numeric", Transport.TEXT),
        "double": ("numeric", Transport.DOUBLE),
        "bigint": ("bigint", Transport.BIGINT),
        "boolean": ("boolean", Transport.BOOLEAN),
        "time": ("timestamptz", Transport.TIMESTAMPTZ),
    }


def test_what_changed_since_the_last_event_is_no_column() -> None:
    assert "_previous" not in {column.name for column in shape_of(schema_of({})).columns}


def test_a_field_without_an_sql_type_takes_the_plain_one() -> None:
    schema = schema_of({"title": TEXT})
    for field in schema["fields"]:
        field.pop("sql.type", None)
    types = {column.name: column.sql_type for column in shape_of(schema).columns}
    assert types["title"] == "text"
    assert types["_event_at"] == "timestamptz"


@pytest.mark.parametrize(
    "declared",
    [
        {"type": ["null", {"type": "array", "items": "string"}], "sql": "text"},
        {"type": ["null", "string", "long"], "sql": "text"},
        {"type": ["null", "string"], "sql": "money"},
        {"type": ["null", "bytes"], "sql": ""},
    ],
)
def test_a_field_that_no_column_can_hold_is_refused_by_name(declared: dict[str, object]) -> None:
    with pytest.raises(UnusableSchema, match="strange"):
        shape_of(schema_of({"strange": declared}))


def test_a_name_that_postgres_would_cut_is_refused() -> None:
    with pytest.raises(UnusableSchema, match=r"x{64}"):
        shape_of(schema_of({"x" * 64: TEXT}))


@pytest.mark.parametrize("missing", ["id", "_event_at", "_operation", "_account_id"])
def test_a_schema_without_what_the_guard_needs_is_refused(missing: str) -> None:
    schema = schema_of({})
    schema["fields"] = [field for field in schema["fields"] if field["name"] != missing]
    with pytest.raises(UnusableSchema, match=missing):
        shape_of(schema)


def test_a_subscription_shows_when_its_trial_ends() -> None:
    shape = shape_of(schema_of({"trial_end": TIMESTAMP}, stripe_object="subscription"))
    (create, *_rest) = create_statements(NAME, shape, key=key_of(connect=False))
    assert '"trial_ends" timestamptz generated always as ("trial_end") stored' in create


def test_connected_accounts_rows_are_named_by_their_account_too() -> None:
    assert key_of(connect=False) == ("id",)
    assert key_of(connect=True) == ("_account_id", "id")


def test_a_reference_to_what_a_row_belongs_to_is_indexed() -> None:
    shape = shape_of(schema_of({"customer_id": TEXT, "latest_invoice_id": TEXT}))
    indexes = [
        statement
        for statement in create_statements(NAME, shape, key=("id",))
        if statement.startswith("create index")
    ]
    assert indexes == [
        'create index if not exists "ticket_customer_id_idx" on "stripe"."ticket" ("customer_id")'
    ]


def test_two_long_index_names_stay_two() -> None:
    shape = shape_of(schema_of({"customer_id": TEXT, "subscription_id": TEXT}))
    long = TableName(schema="stripe", table="t" * 62)
    names = {
        statement.split('"')[1]
        for statement in create_statements(long, shape, key=("id",))
        if statement.startswith("create index")
    }
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)


def test_columns_are_added_in_one_statement() -> None:
    narrow = {column.name for column in shape_of(schema_of({})).columns}
    present = {*narrow, "_synced_at", "_deleted_at"}
    wide = shape_of(schema_of({"one": TEXT, "two": JSONB}))
    assert widen_statements(NAME, wide, present=present) == [
        'alter table "stripe"."ticket" add column if not exists "one" text, '
        'add column if not exists "two" jsonb',
        """comment on column "stripe"."ticket"."one" is 'The one.'""",
        """comment on column "stripe"."ticket"."two" is 'The two.'""",
    ]
    assert widen_statements(NAME, wide, present={*present, "one", "two"}) == []


def guarded_by(guard: Guard) -> str:
    columns = shape_of(schema_of({})).columns
    statement = upsert_sql(
        NAME,
        key=("id",),
        values={column.name: f"${place}" for place, column in enumerate(columns, 1)},
        source="",
        guard=guard,
    )
    return statement.splitlines()[-1]


def test_the_guard_is_the_version_and_nothing_else() -> None:
    newer = 'where mine."_event_at" is null or excluded."_event_at" > mine."_event_at"'
    assert guarded_by(Guard.NEWER) == newer
    assert guarded_by(Guard.NOT_OLDER) == newer.replace(">", ">=")


def test_a_history_is_written_only_where_it_differs() -> None:
    told = guarded_by(Guard.DIFFERENT)
    assert '(mine."extra", ' in told
    assert "_synced_at" not in told


def test_an_index_of_a_column_that_comes_later_is_made_beside_the_readers() -> None:
    shape = shape_of(schema_of({"customer_id": TEXT}))
    statements = widen_statements(NAME, shape, present={"id"})
    assert not [statement for statement in statements if "create index" in statement]
    index, drop, create = index_statements(NAME, "customer_id")
    assert index == '"stripe"."ticket_customer_id_idx"'
    assert drop.startswith("drop index concurrently ")
    assert create.startswith("create index concurrently ")


def test_a_column_that_the_record_lacks_is_set_to_null() -> None:
    columns = shape_of(schema_of({})).columns
    values = {column.name: column.name for column in columns}
    statement = upsert_sql(
        NAME, key=("id",), values={**values, "later": "null"}, source="from staged"
    )
    assert '"later" = excluded."later"' in statement
    assert "null, now()" in statement


def test_names_and_texts_are_quoted() -> None:
    assert quoted('a"b') == '"a""b"'
    assert literal("it's\x00") == "'it''s'"
