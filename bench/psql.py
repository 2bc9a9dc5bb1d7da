"""What Postgres does by itself: `psql` with a file, into a table of the same shape beside."""

import shutil
import subprocess
import time
from pathlib import Path

import psycopg

from bench.machine import cpu_seconds_of
from bench.sinks import Seen


class Psql:
    """Works on table `subscription` in schema `beside`.

    Args:
        folder: for the file.
    """

    def __init__(self, *, database_url: str, folder: Path) -> None:
        self._database_url = database_url
        self._file = folder / "rows.copy"

    def guarded_load(self) -> Seen:
        """COPY into a temporary table, and one guarded insert-select."""
        columns = self._dumped()
        listed = _listed(columns)
        changed = ", ".join(f'"{column}" = excluded."{column}"' for column in columns[1:])
        return self._timed(
            f"""
            set jit to off;
            begin;
            create temporary table staged (like beside.subscription) on commit drop;
            \\copy staged ({listed}) from '{self._file}'
            insert into beside.subscription as mine ({listed}) select {listed} from staged
            on conflict (id) do update set {changed}
            where excluded._event_at > mine._event_at;
            commit;
            """
        )

    def copied(self) -> Seen:
        """COPY into the empty table."""
        listed = _listed(self._dumped())
        return self._timed(
            f"""
            truncate beside.subscription;
            \\copy beside.subscription ({listed}) from '{self._file}'
            """
        )

    def _dumped(self) -> list[str]:
        """The rows as text in the file; the columns that they have."""
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            connection.execute("create schema if not exists beside")
            connection.execute(
                "create table if not exists beside.subscription "
                "(like stripe.subscription including all)"
            )
            columns = [
                row[0]
                for row in connection.execute(
                    "select attname::text from pg_attribute where attnum > 0 "
                    "and attgenerated = '' and attrelid = 'stripe.subscription'::regclass "
                    "order by attnum"
                )
            ]
            statement = f"copy (select {_listed(columns)} from stripe.subscription) to stdout"
            with connection.cursor().copy(statement) as rows, self._file.open("wb") as out:
                for piece in rows:
                    out.write(piece)
        return columns

    def _timed(self, script: str) -> Seen:
        psql = shutil.which("psql")
        assert psql is not None, "the limit is measured with psql; install postgresql-client"
        rows = self._file.read_bytes().count(b"\n")
        began = time.monotonic()
        told = subprocess.run(
            [psql, "--no-psqlrc", "--quiet", "-At", "-v", "ON_ERROR_STOP=1", self._database_url],
            input=script
            + "select pg_backend_pid() as pid \\gset\n"
            + "\\setenv POSTGRES_PID :pid\n"
            + "\\! cat /proc/$POSTGRES_PID/stat\n",
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        seconds = time.monotonic() - began
        return Seen(
            per_second=rows / seconds, postgres_cpu_micros=cpu_seconds_of(told) / rows * 1e6
        )


def _listed(columns: list[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
