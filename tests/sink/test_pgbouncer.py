"""PgBouncer in session mode before Postgres: everything that uses a session works through it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from runtime.errors import ExitCode
from sink.rebuild_tables import Finding
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.sink.changes import TEXT, TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.pooler import Pooler, pooling
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace, findings
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, COUNT, DEAD, arrives, first, unready
from tests.sink.writing import MANY

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
THROUGH = (
    "select array_agg(distinct pid order by pid) from pg_stat_activity "
    "where datname = current_database() and pid <> pg_backend_pid()"
)


@pytest.fixture
def pooler(stack: Infrastructure, tmp_path: Path) -> Iterator[Pooler]:
    with pooling(stack.postgres, tmp_path) as made:
        yield made


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic for tickets."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    return publisher.register("ticket", schema_of(TICKET))


@pytest.fixture
def workplace(
    stack: Infrastructure, namespace: str, database_url: str, pooler: Pooler
) -> Workplace:
    return Workplace(stack, namespace=namespace, database_url=pooler.url(database_url))


def many(version: int, **more: Any) -> list[dict[str, Any]]:
    return [change(f"o{n}", version, title=f"v{version}", **more) for n in range(10 * MANY)]


def test_a_sink_after_another_on_one_session_of_the_pool_finds_nothing_of_the_other(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    database_url: str,
    pooler: Pooler,
    tickets: int,
) -> None:
    """COPY, temporary tables and prepared statements: their names are the same in both."""
    seen = []
    for version, name in enumerate(("first", "second"), 1):
        service = sink(name, DATABASE_URL=pooler.url(database_url), HISTORY="ticket").start()
        publisher.publish("ticket", tickets, many(version))
        right = f"select count(*) from stripe.ticket where title = 'v{version}'"
        arrives(postgres, right, 10 * MANY)
        publisher.publish("ticket", tickets, [change("few", version, title="few")])
        arrives(postgres, "select count(*) from stripe_history.ticket where id = 'few'", version)
        seen.append(first(postgres, THROUGH))
        assert service.stop() == ExitCode.OK
    assert seen[0] == seen[1]
    assert len(seen[0]) == 1
    assert first(postgres, DEAD) == 0


def test_a_table_is_widened_rebuilt_and_verified_through_the_pooler(
    workplace: Workplace,
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    database_url: str,
    pooler: Pooler,
    tickets: int,
) -> None:
    service = sink(DATABASE_URL=pooler.url(database_url)).start()
    publisher.publish("ticket", tickets, many(1))
    wider = publisher.register("ticket", schema_of({**TICKET, "invoice_id": TEXT}))
    publisher.publish("ticket", wider, many(2, invoice_id="in_1"))
    arrives(postgres, "select count(*) from stripe.ticket where invoice_id = 'in_1'", 10 * MANY)
    index = "select indisvalid from pg_index where indexrelid = to_regclass('{}')"
    arrives(postgres, index.format("stripe.ticket_invoice_id_idx"), True)
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o3'")
    postgres.execute("delete from stripe.ticket where id = 'o4'")
    assert findings(workplace.verify("ticket")) == {Finding.WRONG: 1, Finding.MISSING: 1}
    code, told = workplace.said("rebuild", "ticket")
    assert code == ExitCode.OK, told
    assert workplace.said("verify", "ticket")[0] == ExitCode.OK
    code, told = workplace.said("replay", "ticket", "--from", "0", HISTORY="ticket")
    assert code == ExitCode.OK, told
    assert first(postgres, "select count(*) from stripe_history.ticket") == 20 * MANY
    assert service.stop() == ExitCode.OK


def test_dead_letters_are_settled_through_the_pooler(
    workplace: Workplace,
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    database_url: str,
    pooler: Pooler,
    tickets: int,
) -> None:
    sink(DATABASE_URL=pooler.url(database_url)).start()
    publisher.publish("ticket", tickets, [change("a", 1)])
    arrives(postgres, COUNT, 1)
    postgres.execute("alter table stripe.ticket add constraint cheap check (amount < 100)")
    publisher.publish("ticket", tickets, [change("b", 1, amount=500), change("c", 1, amount=500)])
    arrives(postgres, DEAD, 2)
    postgres.execute("alter table stripe.ticket drop constraint cheap")
    names = [letter.split()[0] for letter in listed(workplace)]
    assert workplace.dead_letters("retry", names[0])[0] == ExitCode.OK
    assert workplace.dead_letters("discard", names[1])[0] == ExitCode.OK
    assert first(postgres, DEAD) == 0
    assert first(postgres, COUNT) == 2


def listed(workplace: Workplace) -> list[str]:
    """The lines of `list` that name a letter."""
    told = workplace.dead_letters("list")[1].replace("│", "")
    return [line for line in told.splitlines() if "23514" in line]


def test_a_pooler_that_gives_sessions_on_as_they_are_is_waited_for_and_kills_no_record(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    database_url: str,
    tmp_path: Path,
    tickets: int,
) -> None:
    with pooling(stack.postgres, tmp_path, server_reset_query="", default_pool_size="1") as pooler:
        one = sink("one", DATABASE_URL=pooler.url(database_url)).start()
        publisher.publish("ticket", tickets, many(1))
        arrives(postgres, COUNT, 10 * MANY)
        assert one.stop() == ExitCode.OK
        two = sink("two", DATABASE_URL=pooler.url(database_url))
        two.launch()
        publisher.publish("ticket", tickets, many(2))
        eventually(
            lambda: "server_reset_query" in two.log(),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink says what to set",
            more=two.log,
        )
        eventually(
            lambda: unready(two).startswith("waiting"),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink says that it waits",
        )
        assert two.stop() == ExitCode.OK
    assert first(postgres, DEAD) == 0
    assert publisher.dead_letters() == []
