"""`stripeline sink rebuild` and `stripeline sink verify`."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.markup import escape

from runtime.errors import ExitCode, StripelineError, WrongSetting
from runtime.settings import load
from schemas.errors import SchemaError
from schemas.registry import Registry
from schemas.topics import table_name
from sink.errors import PostgresAway, PostgresUnreachable
from sink.filling import Site
from sink.kafka_ranges import TopicReader
from sink.load import WriterSchema
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.rebuild import Rebuild, Report, Watcher
from sink.rebuild_progress import watcher_on
from sink.rebuild_report import show, summary_of
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
        SinkError: what went wrong with the one object; what was read before is kept. Of several,
            it is told, and the others have their turn.
    """
    if bool(objects) is everything:
        raise WrongSetting("Name the objects, for example `subscription invoice`, or say --all.")
    settings = load(DatabaseSettings)
    site = Site.of(settings, schema=into or settings.database_schema)
    reader, console = site.reader(), Console()
    tables = reader.tables() if everything else [table_name(name) for name in objects]
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        watcher_on(console) as watcher,
    ):
        turn = _Turn(
            site=site,
            reader=reader,
            writer=site.loader(registry).writer,
            watcher=watcher,
            apply=apply,
        )
        done = _one_by_one(turn, list(dict.fromkeys(tables)), console=console)
    show(console, done.reports, applied=apply)
    for table, error in done.failures.items():
        console.print(f"[red]{table}: {escape(str(error))}[/]")
    return _exit_code(done, apply=apply)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """Rebuilds or verifies one object, in a session of its own: its locks end with it."""

    site: Site
    reader: TopicReader
    writer: Callable[[int], WriterSchema]
    watcher: Watcher
    apply: bool

    def take(self, table: str) -> Report:
        """Do so."""
        with contextlib.closing(Connection(self.site.database_url)) as connection:
            try:
                migrate(connection)
                rebuild = Rebuild(
                    self.site,
                    reader=self.reader,
                    connection=connection,
                    writer=self.writer,
                    watcher=self.watcher,
                    processes=min(PROCESSES_MAX, os.cpu_count() or 1),
                )
                return rebuild.run(table, apply=self.apply)
            except PostgresAway as away:
                raise PostgresUnreachable(
                    f"DATABASE_URL: {away}. Run it again: it goes on where it stood."
                ) from away


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What became of each object."""

    reports: list[Report] = field(default_factory=list)
    failures: dict[str, Exception] = field(default_factory=dict)


def _one_by_one(turn: _Turn, tables: Sequence[str], *, console: Console) -> _Done:
    """Take each table's turn; one that fails does not keep the others from theirs."""
    done = _Done()
    for table in tables:
        try:
            report = turn.take(table)
        except (StripelineError, SchemaError) as error:
            if len(tables) == 1:
                raise
            done.failures[table] = error
            console.print(f"{table}: failed", highlight=False)
            if isinstance(error, PostgresUnreachable):
                # So would the others, each of them after a while.
                break
        else:
            done.reports.append(report)
            if len(tables) > 1:
                # Whoever ends this early has seen what was done.
                console.print(f"{table}: {summary_of(report)}", highlight=False)
    return done


def _exit_code(done: _Done, *, apply: bool) -> ExitCode:
    if not apply and any(report.differs for report in done.reports):
        return ExitCode.DIFFERENCE_FOUND
    if done.failures or any(report.incomplete for report in done.reports):
        return ExitCode.FAILED
    return ExitCode.OK
