"""The temporary tables of a session: none has a table of long values until a row needs it."""

import json
import random
from typing import Any

import psycopg
import pytest

from sink.batch import Partition
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import TICKET, Workshop, change, schema_of
from tests.sink.test_history import Historian
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]

PAGE_BYTES = 8_192
STAGES = """
    select count(*), count(nullif(reltoastrelid, 0)) from pg_class
    where relname like 'stage%%' and relpersistence = 't'
"""
"""How many there are in this database, and how many with a table of long values."""


def long_text(length: int) -> str:
    """A text that compression does not make shorter than half of it."""
    return "".join(random.Random(length).choices("0123456789abcdef", k=length))


def test_stages_are_as_many_as_tables_and_hold_rows_of_nearly_a_page(
    database: PostgresDatabase, postgres: Session
) -> None:
    for number in range(3):
        hand = Hand(database, partition=Partition(f"t.ticket_{number}", 0))
        for at in (1, 2):
            title = long_text(PAGE_BYTES - 1_000)
            hand.write([change(f"o{one}", at, title=title) for one in range(MANY)])
    assert postgres.execute(STAGES).fetchone() == (3, 0)


@pytest.mark.parametrize("column", ["title", "body"])
def test_rows_of_any_length_are_written_beside_short_ones(
    database: PostgresDatabase, postgres: Session, column: str
) -> None:
    other = Hand(database, partition=Partition("t.other", 0))
    hand = Hand(database)
    other.write(fresh(1))
    hand.write(fresh(1))
    text = long_text(20 * PAGE_BYTES)
    long = json.dumps({"text": text}) if column == "body" else text
    written = hand.write([change("long", 1, **{column: long}), *fresh(2)])
    assert written == {"ticket": MANY + 1}
    hand.write(fresh(3))
    other.write(fresh(3))
    said = "body ->> 'text'" if column == "body" else "title"
    told = (
        f"select {said}, (select count(*) from stripe.ticket) from stripe.ticket where id = 'long'"
    )
    assert postgres.execute(told).fetchone() == (text, MANY + 1)
    # The table with the long row has one stage of either kind, the other table one.
    assert postgres.execute(STAGES).fetchone() == (3, 1)


def test_a_newer_schema_of_the_same_columns_finds_the_stage_for_long_rows(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database, Workshop(schemas=dict.fromkeys((1, 2), schema_of(TICKET))))
    long = change("long", 1, title=long_text(20 * PAGE_BYTES))
    hand.write([long, *fresh(1)])
    assert hand.write(fresh(2), schema_id=2) == {"ticket": MANY}
    assert hand.write(fresh(3), schema_id=1) == {"ticket": MANY}
    assert postgres.execute(STAGES).fetchone() == (2, 1)


def test_a_history_takes_long_rows_too(database: PostgresDatabase, postgres: Session) -> None:
    historian = Historian(database)
    text = long_text(20 * PAGE_BYTES)
    for at in (1, 2):
        historian.write([change("long", at, title=text), *fresh(at)])
    told = "select count(*) from stripe_history.ticket where title = %s"
    assert postgres.execute(told, [text]).fetchone() == (2,)


def fresh(at: int) -> list[dict[str, Any]]:
    """So many changes that they go through a stage."""
    return [change(f"o{number}", at) for number in range(MANY)]
