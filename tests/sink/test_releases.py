"""What the sink does in Postgres, on servers of the supported releases."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from sink.errors import FenceLost
from sink.postgres_database import PostgresDatabase
from sink.rebuild_tables import Finding
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database
from tests.sink.changes import TEXT, TICKET, TIMESTAMP, Workshop, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace, findings
from tests.sink.servers import Server, binaries_of, chosen_releases, server_of
from tests.sink.test_history import LIFE, Historian, spans
from tests.sink.test_sink_process import DEAD, arrives, first
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


@pytest.fixture(scope="module", params=chosen_releases(), ids="postgres {}".format)
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with server_of(binaries_of(request.param), tmp_path_factory.mktemp("release")) as server:
        with psycopg.connect(server.url()) as connection:
            assert connection.info.server_version // 10_000 == request.param
        yield server


@pytest.fixture
def database_url(release: Server, stack: Infrastructure) -> Iterator[str]:
    """A fresh database on the server of the release; the other fixtures follow it."""
    with fresh_database(replace(stack, postgres=release.url())) as url:
        yield url


def test_tables_are_made_widened_and_written_either_way(
    database: PostgresDatabase, postgres: Session
) -> None:
    wider: dict[str, Any] = {**TICKET, "later": TEXT, "trial_end": TIMESTAMP}
    schemas = {1: schema_of(TICKET), 2: schema_of(wider, stripe_object="subscription")}
    hand = Hand(database, Workshop(schemas=schemas))
    hand.write([change(f"o{n}", 1, amount=n, body='{"a": "1"}') for n in range(MANY)])
    hand.write([change("o1", 2, later="few"), change("o2", 0, later="late")], schema_id=2)
    hand.write([change(f"o{n}", 3, later="many") for n in range(3, 3 + MANY)], schema_id=2)
    told = "select later, count(*), sum(amount) from stripe.ticket group by later order by 1"
    assert postgres.execute(told).fetchall() == [
        ("few", 1, None),
        ("many", MANY, None),
        (None, 2, 2),
    ]


def test_a_history_is_kept(database: PostgresDatabase, postgres: Session) -> None:
    Historian(database).write(LIFE)
    assert [span[:2] for span in spans(postgres)] == [(10, 20), (20, 30), (30, 40), (40, None)]


def test_a_former_owner_is_fenced_off(database: PostgresDatabase, database_url: str) -> None:
    former = Hand(database)
    former.write([change("a", 1)])
    other = PostgresDatabase(database_url, schema="stripe")
    Hand(other).write([change("a", 2)])
    other.close()
    with pytest.raises(FenceLost):
        former.write([change("a", 3)])


def test_a_sink_runs_buries_what_is_refused_and_its_table_is_rebuilt(
    sink: SinkStarter,
    stack: Infrastructure,
    publisher: Publisher,
    postgres: Session,
    database_url: str,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", tickets, [change(f"o{n}", 1, title="right") for n in range(MANY)])
    publisher.publish("ticket", tickets, [change("refused", 1, body="{not json")])
    service = sink().start()
    arrives(postgres, "select count(*) from stripe.ticket", MANY)
    arrives(postgres, DEAD, 1)
    assert service.stop() == 0
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o3'")
    postgres.execute("delete from stripe.ticket where id = 'o4'")
    workplace = Workplace(stack, namespace=publisher.names.namespace, database_url=database_url)
    report = workplace.rebuild("ticket")
    assert findings(report) == {Finding.WRONG: 1, Finding.MISSING: 1}
    assert len(report.unreadable) == 1
    assert first(postgres, "select count(*) from stripe.ticket where title = 'right'") == MANY
