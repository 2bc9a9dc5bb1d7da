"""Tables that were there before the sink: their rows become the records', or they are refused."""

from typing import Any

import psycopg
import pytest

from runtime.errors import ExitCode
from sink.errors import TableDiffers
from sink.postgres_database import PostgresDatabase
from sink.rebuild_tables import Finding
from tests.infrastructure import Infrastructure
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace, findings
from tests.sink.test_sink_process import DEAD, arrives, first
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


def stands_already(postgres: Session, *, rows: int, more: str = "") -> None:
    """A table of somebody else's with old rows."""
    postgres.execute("create schema stripe")
    postgres.execute(
        f"create table stripe.ticket (id text primary key, title text, note text{more})".encode()
    )
    postgres.execute(
        "insert into stripe.ticket (id, title, note) "
        "select 'o' || n, 'old', 'theirs' from generate_series(1, %s) as n",
        [rows],
    )


@pytest.mark.parametrize("count", [1, MANY], ids=["few", "many"])
def test_rows_that_were_there_are_older_than_every_record(
    database: PostgresDatabase, postgres: Session, count: int
) -> None:
    stands_already(postgres, rows=count + 1)
    hand = Hand(database)
    hand.write([change(f"o{n + 1}", 5, title="new") for n in range(count)])
    hand.write([change("o1", 4, title="late")])
    told = "select title, note, count(*) from stripe.ticket group by 1, 2 order by 1"
    assert postgres.execute(told).fetchall() == [("new", "theirs", count), ("old", "theirs", 1)]


def test_a_rebuild_puts_adopted_rows_right(
    stack: Infrastructure,
    namespace: str,
    database_url: str,
    publisher: Publisher,
    postgres: Session,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", tickets, [change(f"o{n}", 5, title="new") for n in range(1, 4)])
    stands_already(postgres, rows=4)
    workplace = Workplace(stack, namespace=namespace, database_url=database_url)
    report = workplace.rebuild("ticket")
    assert findings(report) == {Finding.BEHIND: 3, Finding.EXTRA: 1}
    told = "select title, note, count(*) from stripe.ticket group by 1, 2"
    assert postgres.execute(told).fetchall() == [("new", "theirs", 3)]
    assert not workplace.verify("ticket").differs


def test_a_column_that_nobody_fills_is_refused_with_what_to_do(
    database: PostgresDatabase, postgres: Session
) -> None:
    stands_already(postgres, rows=0, more=", owner text not null, at timestamptz not null")
    with pytest.raises(TableDiffers, match='alter column "at" drop not null'):
        Hand(database).write([change("a", 1)])
    postgres.execute("alter table stripe.ticket alter column at set default now()")
    with pytest.raises(TableDiffers, match=r"column owner of stripe\.ticket"):
        Hand(database).write([change("a", 1)])
    postgres.execute("alter table stripe.ticket alter column owner drop not null")
    Hand(database).write([change("a", 1)])
    assert first(postgres, "select at is not null and owner is null from stripe.ticket")


def test_a_required_column_that_somebody_adds_later_stops_the_sink_and_kills_no_record(
    sink: SinkStarter, publisher: Publisher, postgres: Session
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    service = sink().start()
    publisher.publish("ticket", tickets, [change("a", 1)])
    arrives(postgres, "select count(*) from stripe.ticket", 1)
    postgres.execute("alter table stripe.ticket add column owner text not null default 'us'")
    postgres.execute("alter table stripe.ticket alter column owner drop default")
    publisher.publish("ticket", tickets, [change("b", 1)])
    assert service.wait() == ExitCode.FAILED
    assert "drop not null" in service.log()
    assert first(postgres, DEAD) == 0
