"""Schema `stripeline`: the migrations make it, once, whoever runs them and however often."""

import threading
from typing import Any

import psycopg
import pytest

from sink.errors import MigrationsMissing
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.sql import migrations

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
NAMES = ["0001_offsets", "0002_dead_letters", "0003_columns", "0004_rebuild", "0005_indexes"]


@pytest.fixture
def connection(database_url: str) -> Any:
    opened = Connection(database_url)
    yield opened
    opened.close()


def test_the_migrations_give_the_schema(connection: Connection, postgres: Session) -> None:
    assert migrate(connection) == NAMES
    found: dict[str, list[str]] = {}
    for table, column in postgres.execute(
        "select table_name, column_name from information_schema.columns "
        "where table_schema = 'stripeline' order by table_name, ordinal_position"
    ):
        found.setdefault(table, []).append(column)
    assert found == {
        "dead_letter": [
            "database_schema",
            "topic",
            "partition",
            "record_offset",
            "record_key",
            "record_value",
            "reason",
            "summary",
            "died_at",
        ],
        "kept_column": [
            "database_schema",
            "table_name",
            "column_name",
            "sql_type",
            "since_schema_id",
            "since",
            "index_due",
        ],
        "migration": ["name", "migrated_at"],
        "partition_offset": [
            "database_schema",
            "topic",
            "partition",
            "next_offset",
            "fence",
            "dead_letters_in_a_row",
            "claimed_at",
            "moved_at",
        ],
        "rebuild_progress": [
            "database_schema",
            "table_name",
            "partition",
            "topic_id",
            "next_offset",
            "records",
            "schema_ids",
        ],
        "rebuild_unreadable": [
            "database_schema",
            "table_name",
            "partition",
            "record_offset",
            "record_key",
            "reason",
        ],
    }
    functions = postgres.execute(
        "select proname::text from pg_proc where pronamespace = 'stripeline'::regnamespace"
    )
    assert functions.fetchall() == [("advance",)]


def test_migrating_again_does_nothing(connection: Connection) -> None:
    migrate(connection)
    assert migrate(connection) == []


def test_only_what_is_missing_is_run(connection: Connection, postgres: Session) -> None:
    migrate(connection)
    postgres.execute("drop table stripeline.kept_column")
    postgres.execute("delete from stripeline.migration where name = '0003_columns'")
    assert migrate(connection) == ["0003_columns"]
    assert postgres.execute("select to_regclass('stripeline.kept_column') is null").fetchone() == (
        False,
    )


def test_several_at_once_run_each_migration_once(database_url: str, postgres: Session) -> None:
    count = 4
    start = threading.Barrier(count)
    done: list[list[str]] = []

    def run() -> None:
        connection = Connection(database_url)
        start.wait()
        done.append(migrate(connection))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], [], [], NAMES]
    assert postgres.execute("select count(*) from stripeline.migration").fetchone() == (
        len(NAMES),
    )


def test_a_role_that_may_not_create_is_told_who_should(
    database_url: str, connection: Connection, postgres: Session
) -> None:
    role = f"reader_{postgres.info.dbname}"
    postgres.execute(f"create role {role} login password '{role}'")
    poor = Connection(psycopg.conninfo.make_conninfo(database_url, user=role, password=role))
    try:
        with pytest.raises(MigrationsMissing, match="sink migrate"):
            migrate(poor)
        migrate(connection)
        postgres.execute(f"grant usage on schema stripeline to {role}")
        postgres.execute(f"grant select on stripeline.migration to {role}")
        assert migrate(poor) == []
    finally:
        poor.close()
        postgres.execute(f"drop owned by {role}")
        postgres.execute(f"drop role {role}")


def test_the_migrations_are_named_in_the_order_in_which_they_run() -> None:
    assert [name for name, _text in migrations()] == NAMES
