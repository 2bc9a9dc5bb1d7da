"""A field that a newer schema has a column for fills it from older records' `extra`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pytest

from sink.postgres_database import PostgresDatabase
from tests.sink.changes import (
    BIGINT,
    BOOLEAN,
    JSONB,
    NUMERIC,
    TEXT,
    TICKET,
    TIMESTAMP,
    Workshop,
    change,
    schema_of,
)
from tests.sink.test_sink_process import first
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
LATER: Mapping[str, Mapping[str, Any]] = {
    "due_at": TIMESTAMP,
    "tags": JSONB,
    "note": TEXT,
    "exact": NUMERIC,
    "count": BIGINT,
    "good": BOOLEAN,
    "buyer_id": TEXT,
}
NARROW, WIDE = 1, 2
SCHEMAS = {NARROW: schema_of(TICKET), WIDE: schema_of({**TICKET, **LATER})}
CASES = [
    ("due_at", "due_at", 1_750_000_000, "2025-06-15 15:06:40+00"),
    ("due_at", "due_at", -62_135_596_800, "0001-01-01 00:00:00+00"),
    ("due_at", "due_at", 253_402_300_800, None),
    ("due_at", "due_at", 10**30, None),
    ("due_at", "due_at", 1.5, None),
    ("due_at", "due_at", "2025-06-15", None),
    ("count", "count", 2**63 - 1, str(2**63 - 1)),
    ("count", "count", -(2**63), str(-(2**63))),
    ("count", "count", 2**63, None),
    ("count", "count", "7", None),
    ("count", "count", True, None),
    ("exact", "exact", "12.50", "12.50"),
    ("exact", "exact", "NaN", None),
    ("exact", "exact", "9" * 1_001, None),
    ("exact", "exact", 12.5, "12.5"),
    ("exact", "exact", [1], None),
    ("good", "good", True, "true"),
    ("good", "good", "true", None),
    ("note", "note", "it's", "it's"),
    ("note", "note", {"id": "x"}, None),
    ("tags", "tags", ["x"], '["x"]'),
    ("tags", "tags", None, None),
    ("buyer_id", "buyer", "cus_1", "cus_1"),
    ("buyer_id", "buyer", {"id": "cus_1", "object": "customer"}, "cus_1"),
    ("buyer_id", "buyer", {"id": 7}, None),
    ("buyer_id", "buyer", 7, None),
    ("buyer_id", "buyer_id", "cus_2", "cus_2"),
]


def older(number: int) -> dict[str, Any]:
    """A record of a writer that knew none of the later columns."""
    _column, field, value, _wanted = CASES[number]
    return change(f"o{number:02}", 2, title="old", extra=json.dumps({field: value, "else": 1}))


def filled(postgres: Session) -> list[tuple[str, str | None]]:
    """The column that each of the cases is about, as text."""
    return [
        (
            column,
            first(postgres, f"select {column}::text from stripe.ticket where id = 'o{at:02}'"),
        )
        for at, (column, _field, _value, _wanted) in enumerate(CASES)
    ]


WANTED = [(column, wanted) for column, _field, _value, wanted in CASES]
RECORDS = [older(number) for number in range(len(CASES))]


@pytest.fixture
def hand(database: PostgresDatabase) -> Hand:
    """Writes into a table that has the later columns."""
    made = Hand(database, Workshop(schemas=SCHEMAS))
    made.write([change("first", 1)], schema_id=WIDE)
    return made


def test_an_older_record_alone_fills_a_later_column_out_of_its_extra(
    hand: Hand, postgres: Session
) -> None:
    for one in RECORDS:
        hand.write([one], schema_id=NARROW)
    assert filled(postgres) == WANTED


def test_many_older_records_fill_later_columns_out_of_their_extra(
    hand: Hand, postgres: Session
) -> None:
    assert len(RECORDS) >= MANY
    hand.write(RECORDS, schema_id=NARROW)
    assert filled(postgres) == WANTED


@pytest.mark.parametrize("company", [1, MANY], ids=["few", "many"])
def test_older_records_do_so_beside_newer_ones_which_say_themselves_what_they_say(
    hand: Hand, postgres: Session, company: int
) -> None:
    wide = [
        change(f"w{n}", 2, note="new", extra='{"exact": 12.5, "good": true}')
        for n in range(company)
    ]
    for one in _pieces(RECORDS, 1 if company == 1 else len(RECORDS)):
        both = [*hand.records(one, schema_id=NARROW), *hand.records(wide, schema_id=WIDE)]
        hand.write_records(both)
    assert filled(postgres) == WANTED
    theirs = "select count(*) from stripe.ticket where note = 'new' and exact is null"
    assert first(postgres, f"{theirs} and good is null") == company


def _pieces(records: Sequence[dict[str, Any]], size: int) -> list[Sequence[dict[str, Any]]]:
    return [records[at : at + size] for at in range(0, len(records), size)]
