"""`stripeline sink rebuild` and `stripeline sink verify`."""

import contextlib
import os
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from runtime.errors import ExitCode, WrongSetting
from runtime.settings import load
from schemas.registry import Registry
from schemas.topics import table_name
from sink.errors import PostgresAway, PostgresUnreachable
from sink.filling import Site
from sink.kafka_ranges import TopicReader
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.rebuild import Rebuild, Report
from sink.rebuild_progress import watcher_on
from sink.rebuild_report import show
from sink.settings import DatabaseSettings

PROCESSES_MAX: Final = 4
"""Postgres is busy with so many already."""


def run(objects: Sequence[str], *, everything: bool, apply: bool, into: str | None) -> ExitCode:
    """Rebuild or verify the tables of these objects, one after the other, and report.

    Args:
        objects: names of Stripe objects, or of tables.
        everything: all that have a topic, instead.
        apply: whether to put right what differs.
        into: another Postgres schema than `DATABASE_SCHEMA`.

    Raises:
        WrongSetting: it is not said which objects.
        SinkError: what went wrong; what was read before is kept.
    """
    if bool(objects) is everything:
        raise WrongSetting("Name the objects, for example `subscription invoice`, or say --all.")
    settings = load(DatabaseSettings)
    site = Site.of(settings, schema=into or settings.database_schema)
    reader, console = site.reader(), Console()
    tables = reader.tables() if everything else [table_name(name) for name in objects]
    try:
        reports = _reports(site, reader, tables, apply=apply, console=console)
    except PostgresAway as away:
        raise PostgresUnreachable(
            f"DATABASE_URL: {away}. Run it again: it goes on where it stood."
        ) from away
    show(console, reports, applied=apply)
    if any(report.incomplete for report in reports):
        return ExitCode.FAILED
    if not apply and any(report.differs for report in reports):
        return ExitCode.DIFFERENCE_FOUND
    return ExitCode.OK


def _reports(
    site: Site, reader: TopicReader, tables: Sequence[str], *, apply: bool, console: Console
) -> list[Report]:
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        contextlib.closing(Connection(site.database_url)) as connection,
        watcher_on(console) as watcher,
    ):
        migrate(connection)
        rebuild = Rebuild(
            site,
            reader=reader,
            connection=connection,
            writer=site.loader(registry).writer,
            watcher=watcher,
            processes=min(PROCESSES_MAX, os.cpu_count() or 1),
        )
        return [rebuild.run(table, apply=apply) for table in tables]
