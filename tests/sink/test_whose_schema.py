"""A Postgres schema of the user's own name, and a role that is no superuser: all of the sink."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from runtime.errors import ExitCode
from tests.infrastructure import Infrastructure
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace
from tests.sink.test_sink_process import DEAD, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
SCHEMA = "billing_of_2026"
KINDS = ("", "_connect", "_history", "_connect_history")


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic with tickets of the merchant and of an account."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    schema_id = publisher.register("ticket", schema_of(TICKET))
    for version in (1, 2):
        for account in (None, "acct_1"):
            publisher.publish(
                "ticket", schema_id, [change("a", version, title="right", _account_id=account)]
            )
    return schema_id


def stands(postgres: Session, schema: str) -> dict[str, int]:
    """How many rows are right in each of the schemas."""
    return {
        kind: first(postgres, f"select count(*) from {schema}{kind}.ticket where title = 'right'")
        for kind in KINDS
    }


RIGHT = {"": 1, "_connect": 1, "_history": 2, "_connect_history": 2}


def everything_works(
    *, workplace: Workplace, sink: SinkStarter, postgres: Session, schema: str, url: str
) -> None:
    """Rows, history, rebuild, verify and replay, by processes as users start them."""
    settings = {"DATABASE_SCHEMA": schema, "DATABASE_URL": url, "HISTORY": "ticket"}
    service = sink(**settings).start()
    history = f"select count(*) from {schema}_connect_history.ticket"
    arrives(postgres, history, 2)
    arrives(postgres, f"select count(*) from {schema}_history.ticket", 2)
    assert stands(postgres, schema) == RIGHT
    postgres.execute(f"update {schema}.ticket set title = 'forged'".encode())
    postgres.execute(f"delete from {schema}_connect.ticket".encode())
    postgres.execute(f"update {schema}_history.ticket set title = 'forged'".encode())
    postgres.execute(f"drop table {schema}_connect_history.ticket cascade".encode())
    assert workplace.said("verify", "ticket", **settings)[0] == ExitCode.DIFFERENCE_FOUND
    for command in (("rebuild", "ticket"), ("replay", "ticket", "--from", "0")):
        code, told = workplace.said(*command, **settings)
        assert code == ExitCode.OK, told
    assert stands(postgres, schema) == RIGHT
    assert workplace.said("verify", "ticket", **settings)[0] == ExitCode.OK
    assert service.stop() == ExitCode.OK


def letters_are_settled(
    *, workplace: Workplace, postgres: Session, schema: str, url: str, sink: SinkStarter
) -> None:
    """A letter retried, and one discarded."""
    settings = {"DATABASE_SCHEMA": schema, "DATABASE_URL": url, "HISTORY": "ticket"}
    sink("again", **settings).start()
    arrives(postgres, DEAD, 2)
    postgres.execute(f"alter table {schema}.ticket drop constraint cheap".encode())
    told = workplace.dead_letters("list", **settings)[1].replace("│", "")
    one, two = (line.split()[0] for line in told.splitlines() if "23514" in line)
    code, told = workplace.dead_letters("retry", one, **settings)
    assert code == ExitCode.OK, told
    assert workplace.dead_letters("discard", two, **settings)[0] == ExitCode.OK
    assert first(postgres, DEAD) == 0
    dear = "select count(*) from {}.ticket where amount = 500"
    assert first(postgres, dear.format(schema)) == 1
    assert first(postgres, dear.format(f"{schema}_history")) == 1


def dear(postgres: Session, publisher: Publisher, schema: str, schema_id: int) -> None:
    """Two records that a constraint refuses."""
    postgres.execute(
        f"alter table {schema}.ticket add constraint cheap check (amount < 100)".encode()
    )
    publisher.publish("ticket", schema_id, [change("b", 1, amount=500)])
    publisher.publish("ticket", schema_id, [change("c", 1, amount=500)])


def test_a_schema_of_another_name_has_rows_history_letters_and_is_rebuilt(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    database_url: str,
    tickets: int,
) -> None:
    workplace = Workplace(stack, namespace=publisher.names.namespace, database_url=database_url)
    everything_works(
        workplace=workplace, sink=sink, postgres=postgres, schema=SCHEMA, url=database_url
    )
    dear(postgres, publisher, SCHEMA, tickets)
    letters_are_settled(
        workplace=workplace, postgres=postgres, schema=SCHEMA, url=database_url, sink=sink
    )
    assert first(postgres, "select to_regnamespace('stripe') is null")


@pytest.fixture(params=["database", "schemas"])
def role_url(
    request: pytest.FixtureRequest, database_url: str, postgres: Session
) -> Iterator[str]:
    """The address of a role that may make schemas, or that owns those which the sink needs."""
    role = f"sink_{postgres.info.dbname}"
    name = sql.Identifier(role)
    postgres.execute(sql.SQL("create role {} login password {}").format(name, sql.Literal(role)))
    try:
        if request.param == "database":
            postgres.execute(
                sql.SQL("grant create on database {} to {}").format(
                    sql.Identifier(postgres.info.dbname), name
                )
            )
        else:
            for schema in ("stripeline", *(f"stripe{kind}" for kind in KINDS)):
                postgres.execute(
                    sql.SQL("create schema {} authorization {}").format(
                        sql.Identifier(schema), name
                    )
                )
        yield make_conninfo(database_url, user=role, password=role)
    finally:
        postgres.execute(sql.SQL("drop owned by {} cascade").format(name))
        postgres.execute(sql.SQL("drop role {}").format(name))


def test_a_role_without_superuser_is_enough_for_everything(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    role_url: str,
    tickets: int,
) -> None:
    workplace = Workplace(stack, namespace=publisher.names.namespace, database_url=role_url)
    everything_works(
        workplace=workplace, sink=sink, postgres=postgres, schema="stripe", url=role_url
    )
    dear(postgres, publisher, "stripe", tickets)
    letters_are_settled(
        workplace=workplace, postgres=postgres, schema="stripe", url=role_url, sink=sink
    )
    owner = "select count(distinct tableowner) from pg_tables where schemaname like 'stripe%'"
    assert first(postgres, owner) == 1
