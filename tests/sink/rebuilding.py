"""Rebuilds and verifies tables in a test, in this process or as the command."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing

from schemas.registry import Registry
from sink.filling import Site
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.rebuild import Rebuild, Report, TableReport
from sink.rebuild_tables import Finding
from tests.infrastructure import Infrastructure


class Steps:
    """A watcher that calls back before what is about to happen; by default it does nothing."""

    def reading(self, _table: str, _offsets: int) -> None: ...

    def passed(self, _offsets: int) -> None: ...

    def comparing(self, _table: str) -> None: ...

    def repairing(self, _table: str, _rows: int) -> None: ...


class Workplace:
    """One namespace, one database, and what is rebuilt in it.

    Args:
        schema: the Postgres schema of the merchant's own rows.
    """

    def __init__(
        self, stack: Infrastructure, *, namespace: str, database_url: str, schema: str = "stripe"
    ) -> None:
        self.site = Site(
            kafka={"bootstrap.servers": stack.kafka},
            registry_url=stack.registry,
            database_url=database_url,
            schema=schema,
            namespace=namespace,
        )

    def rebuild(self, table: str, *, processes: int = 1, steps: Steps | None = None) -> Report:
        """Rebuild a table."""
        return self._run(table, apply=True, processes=processes, steps=steps or Steps())

    def verify(self, table: str, *, steps: Steps | None = None) -> Report:
        """Compare a table with its topic."""
        return self._run(table, apply=False, processes=1, steps=steps or Steps())

    def _run(self, table: str, *, apply: bool, processes: int, steps: Steps) -> Report:
        with (
            closing(Registry(self.site.registry_url)) as registry,
            closing(Connection(self.site.database_url)) as connection,
        ):
            migrate(connection)
            rebuild = Rebuild(
                self.site,
                reader=self.site.reader(),
                connection=connection,
                writer=self.site.loader(registry).writer,
                watcher=steps,
                processes=processes,
            )
            return rebuild.run(table, apply=apply)

    def environment(self, **more: str) -> Mapping[str, str]:
        """What the command reads."""
        return {
            **os.environ,
            **more,
            "KAFKA_BOOTSTRAP_SERVERS": str(self.site.kafka["bootstrap.servers"]),
            "SCHEMA_REGISTRY_URL": self.site.registry_url,
            "DATABASE_URL": self.site.database_url,
            "KAFKA_NAMESPACE": self.site.namespace,
            "COLUMNS": "200",
        }

    def command(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """`stripeline sink ...`, started."""
        return subprocess.Popen(
            [sys.executable, "-m", "stripeline", "sink", *arguments],
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def dead_letters(self, *arguments: str) -> tuple[int, str]:
        """`stripeline dead-letters ...`, its exit code and what it printed."""
        done = self._dead_letters(*arguments)
        return done.returncode, (done.stdout + done.stderr).decode()

    def dead_letter_bytes(self, name: str) -> bytes:
        """The original bytes of a dead letter."""
        return self._dead_letters("show", name, "--value").stdout

    def _dead_letters(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "stripeline", "dead-letters", *arguments],
            env=self.environment(),
            capture_output=True,
            check=False,
        )

    def said(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """`stripeline sink ...`, its exit code and what it printed."""
        with self.command(*arguments, **environment) as process:
            told, _nothing = process.communicate()
            return process.returncode, told


def only(report: Report) -> TableReport:
    """The report's one table."""
    (table,) = report.tables
    return table


def findings(report: Report) -> dict[Finding, int]:
    """What was found in the report's one table."""
    return dict(only(report).findings)
