"""Offsets and fences in a real Postgres: who lost a partition cannot write it any more."""

import threading
from typing import Any

import psycopg
import pytest

from sink.batch import Partition, next_offset
from sink.claims import Step
from sink.errors import FenceLost
from sink.postgres_database import PostgresDatabase
from tests.end_to_end.services import eventually
from tests.sink.changes import Workshop, batch_of, change
from tests.sink.writing import TICKETS, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


def test_a_zombie_cannot_write_what_another_sink_has_claimed(
    database: PostgresDatabase, database_url: str, postgres: Session
) -> None:
    zombie = Hand(database)
    zombie.write([change("a", 1, title="by the first")])
    other = PostgresDatabase(database_url, schema="stripe")
    owner = Hand(other)
    with pytest.raises(FenceLost):
        zombie.write([change("a", 9, title="by the zombie")])
    assert database.lost(zombie.steps()) == {TICKETS}
    assert other.lost(owner.steps()) == set()
    owner.write([change("a", 2, title="by the second")])
    other.close()
    assert postgres.execute("select title from stripe.ticket").fetchone() == ("by the second",)


def test_one_lost_partition_holds_the_whole_transaction_back(
    database: PostgresDatabase, database_url: str, postgres: Session
) -> None:
    two = Partition("t.ticket", 1)
    claims = database.claim({TICKETS, two})
    other = PostgresDatabase(database_url, schema="stripe")
    other.claim({two})
    other.close()
    workshop = Workshop()
    records = [
        *workshop.records([change("a", 1)]),
        *workshop.records([change("b", 1)], partition=1),
    ]
    load = workshop.loader().load(batch_of(records))
    steps = {
        one: Step(fence=claim.fence, reached=0, next_offset=1, dead_letters_in_a_row=0)
        for one, claim in claims.items()
    }
    with pytest.raises(FenceLost):
        database.write(load, dead=(), steps=steps)
    assert database.lost(steps) == {two}
    assert postgres.execute("select count(*) from stripe.ticket").fetchone() == (0,)
    moved = postgres.execute("select max(next_offset) from stripeline.partition_offset")
    assert moved.fetchone() == (0,)


@pytest.mark.parametrize("moved_to", [0, 7])
def test_an_offset_that_somebody_else_moved_ends_the_claim(
    database: PostgresDatabase, postgres: Session, moved_to: int
) -> None:
    hand = Hand(database)
    hand.write([change("a", 1)])
    postgres.execute("update stripeline.partition_offset set next_offset = %s", [moved_to])
    with pytest.raises(FenceLost):
        hand.write([change("b", 1)])
    assert database.lost(hand.steps()) == {TICKETS}
    assert database.claim({TICKETS})[TICKETS].next_offset == moved_to


def test_a_transaction_whose_answer_was_lost_is_written_again_without_harm(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database)
    load = Workshop().loader().load(batch_of(Workshop().records([change("a", 1)])))
    steps = hand.steps(load)
    assert database.write(load, dead=(), steps=steps) == {"ticket": 1}
    assert database.write(load, dead=(), steps=steps) == {"ticket": 0}


def test_a_claim_waits_for_the_transaction_of_the_former_owner(
    database: PostgresDatabase, database_url: str, postgres: Session
) -> None:
    Hand(database)
    claimed: list[int] = []
    other = PostgresDatabase(database_url, schema="stripe")
    with psycopg.connect(database_url) as slow:
        slow.execute("update stripeline.partition_offset set next_offset = 41")
        thread = threading.Thread(
            target=lambda: claimed.append(other.claim({TICKETS})[TICKETS].next_offset)
        )
        thread.start()
        eventually(
            lambda: (
                postgres.execute(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                    "and datname = current_database()"
                ).fetchone()
                == (1,)
            ),
            seconds_max=10,
            what="the claim waits",
        )
        assert claimed == []
    thread.join()
    other.close()
    assert claimed == [41]


def test_reading_begins_where_writing_ended(database: PostgresDatabase) -> None:
    hand = Hand(database)
    assert database.claim({TICKETS})[TICKETS].next_offset == 0
    hand = Hand(database)
    hand.write([change("a", 1), change("b", 1)])
    assert database.claim({TICKETS})[TICKETS].next_offset == next_offset(1)


def test_another_schema_in_the_same_database_has_offsets_of_its_own(
    database: PostgresDatabase, database_url: str
) -> None:
    Hand(database).write([change("a", 1)])
    other = PostgresDatabase(database_url, schema="elsewhere")
    claim = other.claim({TICKETS})[TICKETS]
    other.close()
    assert (claim.next_offset, claim.fence) == (0, 1)
