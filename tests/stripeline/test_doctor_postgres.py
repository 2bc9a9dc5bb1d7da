"""What the doctor says of the database."""

from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from stripeline.doctor_postgres import Database, judged, postgres_findings
from stripeline.findings import Finding, Verdict
from tests.infrastructure import Infrastructure

MIGRATIONS = frozenset({"001_a", "002_b"})
GOOD = Database(
    major=17,
    role="app",
    may_create=True,
    missing=frozenset(),
    closed=frozenset(),
    migrations=MIGRATIONS,
    tables=3,
    may_write=True,
)


def examined(database: Database) -> list[Finding]:
    return judged(database, schema="stripe", migrations=MIGRATIONS)


def faults(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.subject, one.words) for one in found if one.verdict is Verdict.WRONG]


def test_a_migrated_database_of_a_known_version_is_fine() -> None:
    assert {finding.verdict for finding in examined(GOOD)} == {Verdict.FINE}


@pytest.mark.parametrize("major", [14, 18])
def test_versions_14_to_18_are_fine(major: int) -> None:
    assert not faults(examined(replace(GOOD, major=major)))


@pytest.mark.parametrize("major", [13, 19])
def test_another_version_is_wrong(major: int) -> None:
    assert faults(examined(replace(GOOD, major=major))) == [("server", f"PostgreSQL {major}")]


def test_missing_migrations_are_named_and_newer_ones_only_noted() -> None:
    behind = examined(replace(GOOD, migrations=frozenset({"001_a"})))
    ahead = examined(replace(GOOD, migrations=MIGRATIONS | {"003_c"}))

    assert faults(behind) == [("schema stripeline", "lacks 002_b")]
    assert not faults(ahead)
    assert any("003_c" in finding.words for finding in ahead)


def test_a_role_without_rights_is_wrong() -> None:
    assert faults(examined(replace(GOOD, may_write=False)))[0][0] == "role app"
    [(subject, words)] = faults(examined(replace(GOOD, closed=frozenset({"stripe"}))))
    assert (subject, "tables in the schema stripe" in words) == ("role app", True)
    [(subject, words)] = faults(
        examined(replace(GOOD, may_create=False, missing=frozenset({"stripe", "stripe_connect"})))
    )
    assert (subject, "no stripe, stripe_connect" in words) == ("role app", True)


def test_a_role_that_owns_the_schemas_need_not_be_able_to_make_any() -> None:
    assert not faults(examined(replace(GOOD, may_create=False)))
    connect = frozenset({"stripe_connect", "stripe_connect_history"})
    told = examined(replace(GOOD, may_create=False, missing=connect))
    assert not faults(told)
    assert any("connected accounts" in one.words for one in told if one.verdict is Verdict.NOTE)


@pytest.mark.stack
@pytest.mark.parametrize("history", [False, True])
def test_the_documented_role_without_rights_on_the_database_is_fine(
    database_url: str, history: bool
) -> None:
    role = f"owner_{urlsplit(database_url).path[-8:]}"
    name = sql.Identifier(role)
    schemas = ["stripe", "stripe_connect", "stripeline"]
    schemas += ["stripe_history", "stripe_connect_history"] if history else []
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(name))
        try:
            for schema in schemas:
                connection.execute(
                    sql.SQL("create schema {} authorization {}").format(
                        sql.Identifier(schema), name
                    )
                )

            def rights() -> Finding:
                found = postgres_findings(
                    f"{database_url}?options=-c%20role%3D{role}",
                    schema="stripe",
                    migrations=MIGRATIONS,
                    timeout_seconds=5,
                    history=history,
                )
                return next(one for one in found if one.subject.startswith("role "))

            assert rights().verdict is Verdict.FINE
            connection.execute("alter schema stripe owner to current_user")
            assert "stripe" in rights().words
            assert rights().verdict is Verdict.WRONG
        finally:
            connection.execute(sql.SQL("drop owned by {} cascade").format(name))
            connection.execute(sql.SQL("drop role {}").format(name))


def test_a_server_that_does_not_answer_is_unreachable_and_the_password_is_not_shown() -> None:
    [found] = postgres_findings(
        "postgresql://me:hunter2@127.0.0.1:1/app",
        schema="stripe",
        migrations=MIGRATIONS,
        timeout_seconds=2,
    )

    assert found.verdict is Verdict.UNREACHABLE
    assert "127.0.0.1:1" in found.words
    assert "hunter2" not in found.words + found.advice


def test_what_is_no_address_is_wrong_and_not_repeated() -> None:
    [found] = postgres_findings(
        "hunter2", schema="stripe", migrations=MIGRATIONS, timeout_seconds=2
    )

    assert found.verdict is Verdict.WRONG
    assert "hunter2" not in found.words + found.advice


@pytest.mark.stack
def test_a_database_that_does_not_exist_is_a_wrong_setting(stack: Infrastructure) -> None:
    url = urlsplit(stack.postgres)._replace(path="/no_such_database").geturl()

    [found] = postgres_findings(url, schema="stripe", migrations=MIGRATIONS, timeout_seconds=5)

    assert found.verdict is Verdict.WRONG
    assert "no_such_database" in found.words
    assert "DATABASE_URL" in found.advice


@pytest.mark.stack
def test_an_empty_database_lacks_the_sinks_own_schema(database_url: str) -> None:
    found = postgres_findings(
        database_url, schema="stripe", migrations=MIGRATIONS, timeout_seconds=5
    )

    assert faults(found) == [("schema stripeline", "is missing")]
    assert found[-1].verdict is Verdict.NOTE


@pytest.mark.stack
def test_a_migrated_database_is_read_as_it_is(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("create schema stripeline")
        connection.execute("create table stripeline.migration (name text primary key)")
        connection.execute("insert into stripeline.migration values ('001_a'), ('002_b')")
        connection.execute("create schema stripe")
        connection.execute("create table stripe.price (id text primary key)")

    found = postgres_findings(
        database_url, schema="stripe", migrations=MIGRATIONS, timeout_seconds=5
    )

    assert {finding.verdict for finding in found} == {Verdict.FINE}
    assert found[-1].words == "1 table"


@pytest.mark.stack
def test_a_table_of_another_owner_is_found(database_url: str) -> None:
    role = f"reader_{urlsplit(database_url).path[-8:]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(role)))
        connection.execute("create schema stripe")
        connection.execute("create table stripe.price (id text primary key)")
        try:
            connection.execute(
                sql.SQL("grant usage on schema stripe to {}").format(sql.Identifier(role))
            )
            found = postgres_findings(
                f"{database_url}?options=-c%20role%3D{role}",
                schema="stripe",
                migrations=MIGRATIONS,
                timeout_seconds=5,
            )
        finally:
            connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))

    assert (f"role {role}", "may not write to every table of the schema stripe") in faults(found)
