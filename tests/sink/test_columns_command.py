"""`stripeline sink columns` on a real registry and Postgres."""

from typing import Any

import psycopg
import pytest

from sink.columns_command import describe
from sink.tables import shape_of
from tests.infrastructure import Infrastructure
from tests.sink.changes import BIGINT, TEXT, TICKET, TIMESTAMP, change, schema_of
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace

Session = psycopg.Connection[Any]


def test_a_column_tells_the_first_version_that_had_it_and_its_newest_type() -> None:
    shapes = {
        1: shape_of(schema_of({"title": TEXT, "dropped": TEXT})),
        4: shape_of(schema_of({"title": TEXT, "later": BIGINT})),
    }
    found = {column.name: column for column in describe(shapes)}
    assert (found["title"].since, found["later"].since, found["dropped"].since) == ("1", "4", "1")
    assert found["later"].sql_type == "bigint"
    assert found["_deleted_at"].since == "sink"
    names = list(found)
    assert names.index("later") < names.index("dropped") < names.index("_synced_at")


@pytest.mark.stack
def test_it_shows_every_column_and_what_the_table_has_not_yet(
    stack: Infrastructure,
    namespace: str,
    database_url: str,
    publisher: Publisher,
    postgres: Session,
) -> None:
    workplace = Workplace(stack, namespace=namespace, database_url=database_url)
    code, told = workplace.said("columns", "ticket")
    assert code == 2
    assert "no subject" in told
    publisher.make_topic(publisher.names.object_topic("ticket"))
    first = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", first, [change("a", 1)])
    workplace.rebuild("ticket")
    postgres.execute("alter table stripe.ticket add column mine text")
    publisher.register("ticket", schema_of({**TICKET, "due_at": TIMESTAMP}))
    code, told = workplace.said("columns", "ticket")
    assert code == 0, told
    lines = {line.split("│")[1].strip(): line for line in told.splitlines() if "│" in line}
    assert "The title." in lines["title"]
    assert [cell.strip() for cell in lines["due_at"].split("│")[2:4]] == ["timestamptz", "2"]
    assert "not in the table yet" in lines["due_at"]
    assert "not in the table yet" not in lines["title"]
    assert "Added by others, and left alone: mine" in told
