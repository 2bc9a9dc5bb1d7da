"""Rebuilds and verifies tables in a test, in this process or as the command."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import psycopg

from schemas.registry import Registry
from sink.filling import Site
from sink.patience import Pause
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.rebuild import Rebuild, Report, TableReport
from sink.rebuild_tables import Finding
from tests.infrastructure import Infrastructure
from tests.sink.changes import change
from tests.sink.publisher import Publisher

Session = psycopg.Connection[Any]
EVERYTHING = (
    "select array_agg(to_jsonb(t) - '_synced_at' order by _account_id, id) from {table} as t"
)
ALL_WRITTEN = "update stripeline.partition_offset set next_offset = 1000000"
"""As a sink leaves it that has seen everything."""
LAST_CHANGES = "select count(*) from stripe.ticket where title in ('v2', 'last')"
"""How many objects that were `published` have their last change in the table; the sink takes the
partitions in any order."""


def rows(postgres: Session, table: str = "stripe.ticket") -> Any:
    """Every row of a table, but for when it was written."""
    found = postgres.execute(EVERYTHING.format(table=table).encode()).fetchone()
    assert found is not None
    return found[0]


def published(publisher: Publisher, schema_id: int, objects: int, *, at: int = 1) -> None:
    """Two changes of each object, the last of one being its delete."""
    for step in (at, at + 1):
        publisher.publish(
            "ticket",
            schema_id,
            [
                change(f"o{n:05}", step, title=f"v{step}", body='{"a": 1}', amount=n)
                for n in range(objects)
            ],
        )
    publisher.publish(
        "ticket", schema_id, [change("o00000", at + 2, operation="deleted", title="last")]
    )


class Steps:
    """A watcher that calls back before what is about to happen; by default it does nothing."""

    def reading(self, _table: str, _offsets: int) -> None: ...

    def passed(self, _offsets: int) -> None: ...

    def comparing(self, _table: str) -> None: ...

    def repairing(self, _table: str, _rows: int) -> None: ...


class At(Steps):
    """Does something once, when a rebuild is about to compare or to put right."""

    def __init__(self, moment: str, action: Callable[[], None]) -> None:
        self._moment = moment
        self._action: Callable[[], None] | None = action

    def comparing(self, _table: str) -> None:
        self._reached("comparing")

    def repairing(self, _table: str, _rows: int) -> None:
        self._reached("repairing")

    def _reached(self, moment: str) -> None:
        if moment == self._moment and self._action is not None:
            action, self._action = self._action, None
            action()


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

    def rebuild(
        self,
        table: str,
        *,
        processes: int = 1,
        steps: Steps | None = None,
        pause: Pause = time.sleep,
    ) -> Report:
        """Rebuild a table."""
        return self._run(
            table, apply=True, processes=processes, steps=steps or Steps(), pause=pause
        )

    def verify(self, table: str, *, steps: Steps | None = None) -> Report:
        """Compare a table with its topic."""
        return self._run(table, apply=False, processes=1, steps=steps or Steps(), pause=time.sleep)

    def _run(
        self, table: str, *, apply: bool, processes: int, steps: Steps, pause: Pause
    ) -> Report:
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
                pause=pause,
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

    def dead_letters(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """`stripeline dead-letters ...`, its exit code and what it printed."""
        done = self._dead_letters(*arguments, **environment)
        return done.returncode, (done.stdout + done.stderr).decode()

    def dead_letter_bytes(self, name: str) -> bytes:
        """The original bytes of a dead letter."""
        return self._dead_letters("show", name, "--value").stdout

    def _dead_letters(
        self, *arguments: str, **environment: str
    ) -> "subprocess.CompletedProcess[bytes]":
        return subprocess.run(
            [sys.executable, "-m", "stripeline", "dead-letters", *arguments],
            env=self.environment(**environment),
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
