"""Schema `stripeline`: the migrations that were run, and those that are to be."""

from typing import Final

from sink.errors import MigrationsMissing, PostgresRefused
from sink.postgres import Connection, translated
from sink.sql import migrations

_LOCK_KEY: Final = 0x7374_7269_7065_6C69
"""The number that those who migrate lock, so that one at a time does; `stripeli` in ASCII."""

_NOT_ALLOWED: Final = "42501"


def migrate(connection: Connection) -> list[str]:
    """Run what was not run yet, in one transaction; the names of what was.

    Raises:
        MigrationsMissing: this role may not make what is missing.
        PostgresAway: no answer.
        PostgresRefused: a migration failed; nothing of any was done.
    """
    if not _missing(connection):
        return []
    try:
        return _run_missing(connection)
    except PostgresRefused as refused:
        if refused.sqlstate == _NOT_ALLOWED:
            raise MigrationsMissing(
                "Schema stripeline lacks migrations, and this role may not run them. Run "
                "`stripeline sink migrate` with DATABASE_URL of a role that may create schemas."
            ) from refused
        raise
    finally:
        connection.rollback()


def _run_missing(connection: Connection) -> list[str]:
    with translated():
        session = connection.session()
        session.execute("begin")
        session.execute("select pg_advisory_xact_lock($1)", [_LOCK_KEY])
        # Asked first: `if not exists` needs the right to create even where there is nothing to do.
        if session.execute("select to_regnamespace('stripeline')").fetchone() == (None,):
            session.execute("create schema stripeline")
        session.execute(
            "create table if not exists stripeline.migration "
            "(name text primary key, migrated_at timestamptz not null)"
        )
    # Asked again: whoever held the lock before may have run them.
    missing = _missing(connection)
    with translated():
        for name, text in missing:
            session.execute(text)
            session.execute("insert into stripeline.migration values ($1, now())", [name])
        session.execute("commit")
    return [name for name, _text in missing]


def _missing(connection: Connection) -> list[tuple[str, str]]:
    with translated():
        session = connection.session()
        table = session.execute("select to_regclass('stripeline.migration')").fetchone()
        if table == (None,):
            return migrations()
        done = {row[0] for row in session.execute("select name from stripeline.migration")}
    return [(name, text) for name, text in migrations() if name not in done]
