"""A table that gets new columns while people read it and other sinks write it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from runtime.errors import ExitCode
from sink.errors import PostgresRefused
from sink.postgres_database import PostgresDatabase
from tests.end_to_end.services import eventually
from tests.sink.changes import TEXT, TICKET, Workshop, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.test_history import Historian
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, COUNT, DEAD, arrives, first
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
WIDER = schema_of({**TICKET, "later": TEXT, "invoice_id": TEXT})
PATIENCE = "6s"
"""Longer than a change of a table waits for a reader, shorter than any other wait of the sink."""
QUEUED = (
    "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and not granted "
    "and relation = to_regclass('stripe.ticket')"
)
DUE = "select count(*) from stripeline.kept_column where index_due"
VALID = (
    "select indisvalid from pg_index where indexrelid = "
    "to_regclass('stripe.ticket_invoice_id_idx')"
)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop(schemas={1: schema_of(TICKET), 2: WIDER})


@contextmanager
def long_reader(database_url: str) -> Iterator[None]:
    """Somebody who has read the table and does not end the transaction."""
    with psycopg.connect(database_url) as reader:
        reader.execute("select * from stripe.ticket")
        yield


def widening_waits(postgres: Session) -> None:
    eventually(
        lambda: first(postgres, QUEUED) == 1,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the change of the table waits for the reader",
    )


def read_behind_it(postgres: Session) -> int:
    """What a reader sees who comes while the change waits, and has no more than `PATIENCE`."""
    postgres.execute(f"set statement_timeout to '{PATIENCE}'")
    return int(first(postgres, COUNT))


def test_a_reader_that_holds_the_table_makes_widening_wait_and_not_the_other_readers(
    database: PostgresDatabase, database_url: str, postgres: Session, workshop: Workshop
) -> None:
    hand = Hand(database, workshop)
    hand.write([change("a", 1)])
    with long_reader(database_url), ThreadPoolExecutor(1) as beside:
        widening = beside.submit(hand.write, [change("a", 2)], schema_id=2)
        widening_waits(postgres)
        assert read_behind_it(postgres) == 1
        with pytest.raises(PostgresRefused) as refused:
            widening.result()
        assert refused.value.sqlstate == "55P03"
    hand.write([change("a", 2, later="new")], schema_id=2)
    assert first(postgres, "select later from stripe.ticket") == "new"


def test_a_sink_tries_to_widen_until_the_long_reader_is_done(
    sink: SinkStarter, publisher: Publisher, database_url: str, postgres: Session
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    wider = publisher.register("ticket", WIDER)
    service = sink().start()
    publisher.publish("ticket", tickets, [change("a", 1)])
    arrives(postgres, COUNT, 1)
    with long_reader(database_url):
        publisher.publish("ticket", wider, [change("b", 1, later="new")])
        for attempts in (1, 2):
            eventually(
                lambda tried=attempts: service.log().count("55P03") >= tried,  # type: ignore[misc]
                seconds_max=ARRIVE_SECONDS_MAX,
                what="the sink says that the table is held",
                more=service.log,
            )
            widening_waits(postgres)
            assert read_behind_it(postgres) == 1
    arrives(postgres, "select later from stripe.ticket where id = 'b'", "new")
    assert first(postgres, DEAD) == 0
    assert service.stop() == ExitCode.OK


def test_an_index_of_a_new_column_is_made_once_and_no_dropped_one_comes_back(
    database: PostgresDatabase, postgres: Session, workshop: Workshop
) -> None:
    Hand(database, workshop).write([change("a", 1)])
    Hand(database, workshop).write([change("a", 2)], schema_id=2)
    assert (first(postgres, VALID), first(postgres, DUE)) == (True, 0)
    postgres.execute("drop index stripe.ticket_invoice_id_idx")
    Hand(database, workshop).write([change("a", 3)], schema_id=2)
    assert first(postgres, VALID) is None


def test_rows_never_wait_for_an_index_and_one_begun_is_made_again(
    database: PostgresDatabase, database_url: str, postgres: Session, workshop: Workshop
) -> None:
    Hand(database, workshop).write([change("a", 1)])
    with psycopg.connect(database_url) as elsewhere:
        # An index that is made beside the readers waits for every older look at the database.
        elsewhere.execute("begin isolation level repeatable read")
        elsewhere.execute("select 1 from pg_class limit 1")
        Hand(database, workshop).write([change("a", 2, later="new")], schema_id=2)
        assert first(postgres, "select later from stripe.ticket") == "new"
        assert (first(postgres, VALID), first(postgres, DUE)) == (False, 1)
    Hand(database, workshop).write([change("a", 3)], schema_id=2)
    assert (first(postgres, VALID), first(postgres, DUE)) == (True, 0)
    assert first(postgres, "show statement_timeout") == "0"


def test_two_sinks_that_meet_the_older_and_the_newer_schema_at_once_do_not_fight(
    sink: SinkStarter, publisher: Publisher, postgres: Session
) -> None:
    """As in a rolling upgrade of the relay: one partition already has the newer schema."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    older = publisher.register("ticket", schema_of(TICKET))
    newer = publisher.register("ticket", WIDER)
    services = [sink(name, HISTORY="ticket").start() for name in ("one", "two")]
    # The second has taken over one of the two partitions.
    arrives(postgres, "select sum(fence) from stripeline.partition_offset", 3)
    objects, rounds = 30, 5
    for version in range(1, rounds + 1):
        for partition, schema_id, more in ((0, older, {}), (1, newer, {"later": "new"})):
            for account in (None, "acct_1"):
                changes = [
                    change(f"p{partition}o{n}", version, _account_id=account, amount=n, **more)
                    for n in range(objects)
                ]
                publisher.publish("ticket", schema_id, changes, partition=partition)
    for schema in ("stripe", "stripe_connect"):
        kept = f"select count(*) from {schema}_history.ticket"
        arrives(postgres, kept, 2 * objects * rounds)
        told = (
            "select left(id, 2), later, count(*), sum(amount) from {}.ticket group by 1, 2 "
            "order by 1"
        )
        total = sum(range(objects))
        assert postgres.execute(told.format(schema).encode()).fetchall() == [
            ("p0", None, objects, total),
            ("p1", "new", objects, total),
        ]
        assert postgres.execute(told.format(f"{schema}_history").encode()).fetchall() == [
            ("p0", None, objects * rounds, total * rounds),
            ("p1", "new", objects * rounds, total * rounds),
        ]
    assert first(postgres, DEAD) == 0
    for service in services:
        assert service.metric("stripeline_sink_written_total") > 0
        assert service.stop() == ExitCode.OK
        assert "waits" not in service.log()
        assert "partitions are no longer ours" not in service.log()


@pytest.mark.parametrize("count", [1, MANY], ids=["few", "many"])
def test_a_sink_that_takes_over_after_a_newer_one_leaves_nothing_of_its_columns(
    database: PostgresDatabase, database_url: str, postgres: Session, count: int
) -> None:
    ids = [f"o{number}" for number in range(count)]
    Hand(database).write([change(one, 1) for one in ids])
    newer = PostgresDatabase(database_url, schema="stripe")
    schemas = {2: schema_of({**TICKET, "later": TEXT})}
    Hand(newer, Workshop(schemas=schemas)).write(
        [change(one, 2, later="new") for one in ids], schema_id=2
    )
    newer.close()
    said = "select later, count(*) from stripe.ticket group by later"
    assert postgres.execute(said).fetchall() == [("new", count)]
    Hand(database).write([change(one, 3) for one in ids])
    assert postgres.execute(said).fetchall() == [(None, count)]


def test_sinks_of_both_schemas_that_write_at_one_moment_end_in_the_right_table(
    database_url: str, postgres: Session, workshop: Workshop
) -> None:
    start = threading.Barrier(2)
    rounds = 10

    def write(schema_id: int) -> None:
        database = PostgresDatabase(database_url, schema="stripe")
        database.migrate()
        historian = Historian(database, workshop)
        start.wait()
        more = {"later": "new"} if schema_id == 2 else {}
        for version in range(rounds):
            historian.write(
                [change(f"s{schema_id}", version, title=f"v{version}", **more)],
                schema_id=schema_id,
            )
        database.close()

    with ThreadPoolExecutor(2) as sinks:
        for running in [sinks.submit(write, schema_id) for schema_id in (1, 2)]:
            running.result()
    found = postgres.execute("select id, title, later from stripe.ticket order by id")
    last = f"v{rounds - 1}"
    assert found.fetchall() == [("s1", last, None), ("s2", last, "new")]
    kept = "select count(*), count(later) from stripe_history.ticket"
    assert postgres.execute(kept).fetchone() == (2 * rounds, rounds)
