"""`stripeline sink columns`: what an object's table holds, and since which schema version."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from runtime.settings import load
from schemas.registry import Registry
from schemas.topics import table_name
from sink.errors import PostgresAway, PostgresRefused, TopicMissing
from sink.filling import Site
from sink.postgres import Connection
from sink.postgres_tables import Tables
from sink.settings import DatabaseSettings
from sink.tables import DELETED_AT, SYNCED_AT, Column, TableShape, shape_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One column as it is shown.

    Attributes:
        since: what first had it: a version of the schema, or the sink itself.
    """

    name: str
    sql_type: str
    since: str
    meaning: str


def run(stripe_object: str) -> None:
    """Print the columns of an object.

    Raises:
        TopicMissing: the registry knows no schema of it.
        RegistryUnreachable, SchemaRefused: the registry does not tell.
    """
    settings = load(DatabaseSettings)
    site = Site.of(settings, schema=settings.database_schema)
    table = table_name(stripe_object)
    subject = site.names.subject(site.names.object_topic(table))
    with contextlib.closing(Registry(site.registry_url)) as registry:
        shapes = {
            version: shape_of(schema) for version, schema in registry.versions(subject).items()
        }
    if not shapes:
        raise TopicMissing(
            f"The registry has no subject {subject}. Is KAFKA_NAMESPACE right, and was an object "
            "of this type published?"
        )
    console = Console()
    described = describe(shapes)
    present = _present(site, table, console)
    console.print(_drawn(str(site.own(table)), described, present))
    known = {column.name for column in described}
    others = sorted(present.keys() - known) if present else []
    if others:
        console.print(f"Added by others, and left alone: {', '.join(others)}", highlight=False)


def describe(shapes: Mapping[int, TableShape]) -> list[Described]:
    """All columns that any version has, in the order of the newest, then those it dropped.

    Args:
        shapes: by version.
    """
    since: dict[str, int] = {}
    columns: dict[str, Column] = {}
    for version in sorted(shapes):
        for column in shapes[version].columns:
            since.setdefault(column.name, version)
            columns[column.name] = column
    newest = shapes[max(shapes)]
    order = [column.name for column in newest.columns]
    order += [name for name in columns if name not in order]
    found = [
        Described(
            name=name,
            sql_type=columns[name].sql_type,
            since=str(since[name]),
            meaning=columns[name].comment,
        )
        for name in order
    ]
    found += [
        Described(name=one.name, sql_type=one.sql_type, since="sink", meaning=one.comment)
        for one in newest.generated
    ]
    return [
        *found,
        Described(
            name=SYNCED_AT,
            sql_type="timestamptz",
            since="sink",
            meaning="When the row was written.",
        ),
        Described(
            name=DELETED_AT,
            sql_type="timestamptz",
            since="sink",
            meaning="When the object was deleted; null while it exists.",
        ),
    ]


def _present(site: Site, table: str, console: Console) -> dict[str, str]:
    """The columns that the table has now; without Postgres none, and it is said."""
    with contextlib.closing(Connection(site.database_url)) as connection:
        try:
            return Tables(connection).types(site.own(table))
        except (PostgresAway, PostgresRefused) as error:
            console.print(f"Postgres does not show its table: {error}", highlight=False)
            return {}


def _drawn(title: str, described: list[Described], present: Mapping[str, str]) -> Table:
    drawn = Table(title=title)
    for heading in ("Column", "Type", "Since", "Meaning"):
        drawn.add_column(heading, overflow="fold")
    for column in described:
        missing = present and column.name not in present
        drawn.add_row(
            column.name,
            column.sql_type,
            column.since,
            f"{column.meaning} [dim](not in the table yet)[/]" if missing else column.meaning,
        )
    return drawn
