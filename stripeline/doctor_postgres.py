"""What the doctor asks Postgres: version, rights, the sink's own schema, tables."""

import re
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sink.tables import CONNECT_SUFFIX, HISTORY_SUFFIX
from stripeline.findings import Finding, Verdict, counted

PART = "Postgres"
MAJOR_MIN = 14
MAJOR_MAX = 18
OWN_SCHEMA = "stripeline"
PASSING = ("the database system is", "sorry, too many clients", "remaining connection slots")
"""How a server begins that answers and cannot take us in just now."""
_UNTRUSTED = re.compile(
    r"(?:port \d+ failed|^connection failed): (.*(?:certificate|support SSL).*)"
)
"""What libpq says of a server that answers and that it does not take for the right one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """One database as its catalogue shows it.

    Attributes:
        may_create: whether the role may make schemas.
        missing: of the schemas that the sink needs, those that are not there.
        closed: those that are there and in which the role may not make tables.
        migrations: names of the migrations that the sink's own schema has had; none where
            there is no such schema.
        tables: tables in the schema of Stripe's objects.
        may_write: whether the role may write to every one of these tables.
    """

    major: int
    role: str
    may_create: bool
    missing: frozenset[str]
    closed: frozenset[str]
    migrations: frozenset[str] | None
    tables: int
    may_write: bool


def postgres_findings(
    url: str,
    *,
    schema: str,
    migrations: frozenset[str],
    timeout_seconds: int,
    history: bool = False,
) -> list[Finding]:
    """Whether Postgres answers, and whether the sink can do its work there.

    Args:
        url: the setting DATABASE_URL; never shown.
        schema: the setting DATABASE_SCHEMA.
        migrations: names of the sink's own migrations.
        timeout_seconds: for connecting, and for each statement.
        history: whether the setting HISTORY names an object.
    """
    try:
        with psycopg.connect(url, connect_timeout=timeout_seconds, autocommit=True) as connection:
            # Not by the connection's options, which would hide those of the address.
            _row(
                connection,
                "select set_config('statement_timeout', %s, false)",
                f"{timeout_seconds}s",
            )
            database = _read(connection, schema=schema, history=history)
    except psycopg.Error as error:
        return [_no_answer(url, error)]
    return judged(database, schema=schema, migrations=migrations)


def judged(database: Database, *, schema: str, migrations: frozenset[str]) -> list[Finding]:
    """What is to be said of a database."""
    return [
        _judged_version(database),
        _judged_rights(database, schema=schema),
        _judged_migrations(database, migrations=migrations),
        Finding(
            part=PART,
            subject=f"schema {schema}",
            verdict=Verdict.FINE if database.tables else Verdict.NOTE,
            words=counted(database.tables, "table")
            if database.tables
            else "no tables yet; each is made with its object's first record",
        ),
    ]


def _judged_version(database: Database) -> Finding:
    good = MAJOR_MIN <= database.major <= MAJOR_MAX
    return Finding(
        part=PART,
        subject="server",
        verdict=Verdict.FINE if good else Verdict.WRONG,
        words=f"PostgreSQL {database.major}",
        advice="" if good else f"Use PostgreSQL {MAJOR_MIN} to {MAJOR_MAX}.",
    )


def _judged_rights(database: Database, *, schema: str) -> Finding:
    role = f"role {database.role}"
    if not database.may_write:
        return Finding(
            part=PART,
            subject=role,
            verdict=Verdict.WRONG,
            words=f"may not write to every table of the schema {schema}",
            advice="Let the sink use the role that owns the tables.",
        )
    if database.closed:
        closed = ", ".join(sorted(database.closed))
        return Finding(
            part=PART,
            subject=role,
            verdict=Verdict.WRONG,
            words=f"may not make tables in the schema {closed}",
            advice=f"As its owner: `alter schema ... owner to {database.role}`.",
        )
    if database.may_create or not database.missing:
        words = "may make schemas and write" if database.may_create else "owns what it needs"
        return Finding(part=PART, subject=role, verdict=Verdict.FINE, words=words)
    missing = sorted(database.missing)
    # Without connected accounts nobody needs these.
    needed = [one for one in missing if not one.startswith(f"{schema}{CONNECT_SUFFIX}")]
    return Finding(
        part=PART,
        subject=role,
        verdict=Verdict.WRONG if needed else Verdict.NOTE,
        words=f"may not make schemas in this database, and there is no {', '.join(missing)}"
        + ("" if needed else ", which connected accounts need"),
        advice=f"As its owner: `grant create on database ... to {database.role}`, or for each "
        f"`create schema ... authorization {database.role}`.",
    )


def _judged_migrations(database: Database, *, migrations: frozenset[str]) -> Finding:
    subject = f"schema {OWN_SCHEMA}"
    if database.migrations is None:
        return Finding(
            part=PART,
            subject=subject,
            verdict=Verdict.WRONG,
            words="is missing",
            advice="Run `stripeline sink migrate`.",
        )
    lacking = sorted(migrations - database.migrations)
    if lacking:
        return Finding(
            part=PART,
            subject=subject,
            verdict=Verdict.WRONG,
            words=f"lacks {', '.join(lacking)}",
            advice="Run `stripeline sink migrate`.",
        )
    newer = sorted(database.migrations - migrations)
    return Finding(
        part=PART,
        subject=subject,
        verdict=Verdict.NOTE if newer else Verdict.FINE,
        words=f"is newer than this program: {', '.join(newer)}"
        if newer
        else f"{counted(len(migrations), 'migration')} applied",
        advice="Upgrade stripeline here, too." if newer else "",
    )


def _read(connection: psycopg.Connection, *, schema: str, history: bool) -> Database:
    """Only the catalogue and the list of migrations are read, no table."""
    role, may_create = _row(
        connection,
        "select current_user, has_database_privilege(current_database(), 'create')",
    )
    tables, may_write = _row(
        connection,
        "select count(*), coalesce(bool_and("
        "  has_table_privilege(oid, 'select, insert, update')"
        "), true) from pg_class where relkind in ('r', 'p')"
        "  and relnamespace = to_regnamespace(quote_ident(%s))",
        schema,
    )
    needed = [schema, schema + CONNECT_SUFFIX]
    needed += [one + HISTORY_SUFFIX for one in needed if history]
    missing, closed = _row(
        connection,
        "select coalesce(array_agg(name) filter (where place is null), '{}'),"
        "  coalesce(array_agg(name) filter ("
        "    where name <> %s and not has_schema_privilege(place, 'create')"
        "  ), '{}')"
        " from (select name, to_regnamespace(quote_ident(name)) as place"
        "  from unnest(%s::text[]) as name) as needed",
        OWN_SCHEMA,
        [OWN_SCHEMA, *needed],
    )
    assert isinstance(missing, list)
    assert isinstance(closed, list)
    return Database(
        major=connection.info.server_version // 10_000,
        role=str(role),
        may_create=bool(may_create),
        missing=frozenset(missing),
        closed=frozenset(closed),
        migrations=_migrations(connection),
        tables=int(str(tables)),
        may_write=bool(may_write),
    )


def _migrations(connection: psycopg.Connection) -> frozenset[str] | None:
    [listed] = _row(connection, "select to_regclass('stripeline.migration') is not null")
    if not listed:
        return None
    found = connection.execute("select name from stripeline.migration").fetchall()
    return frozenset(str(name) for (name,) in found)


def _row(
    connection: psycopg.Connection, query: LiteralString, *values: object
) -> tuple[object, ...]:
    found = connection.execute(query, values).fetchone()
    assert found is not None
    return found


def _no_answer(url: str, error: psycopg.Error) -> Finding:
    if isinstance(error, psycopg.ProgrammingError):
        return _wrong_address("is not the address of a database")
    # Before a connection stands there is no SQLSTATE: only the server's own FATAL shows that one
    # answered. It names the role and the database, never a password.
    _, answered, said = str(error).partition("FATAL:")
    if answered and not said.strip().startswith(PASSING):
        return _wrong_address(f"{_address(url)} refuses: {said.strip()}")
    untrusted = _UNTRUSTED.search(str(error))
    if untrusted is not None:
        return Finding(
            part=PART,
            subject="server",
            verdict=Verdict.WRONG,
            words=f"{_address(url)} is not who it should be: {untrusted[1].strip()}",
            advice="Let sslrootcert in DATABASE_URL name the certificate of the authority that "
            "signed the server's, connect to a name that is in it, and see that sslmode is meant.",
        )
    return Finding(
        part=PART,
        subject="server",
        verdict=Verdict.UNREACHABLE,
        words=f"{_address(url)} does not answer",
        advice="Start Postgres (`stripeline stack up` starts one here), or correct DATABASE_URL.",
    )


def _wrong_address(words: str) -> Finding:
    return Finding(
        part=PART,
        subject="server",
        verdict=Verdict.WRONG,
        words=words,
        advice="Correct user, password and database in DATABASE_URL. "
        "Example: DATABASE_URL=postgresql://stripeline:...@localhost:5432/stripeline",
    )


def _address(url: str) -> str:
    """Where the server is, without the user and the password."""
    found = conninfo_to_dict(url)
    return f"{found.get('host', 'localhost')}:{found.get('port', 5432)}"
