"""The speed of a rebuild: a topic of subscriptions made a table, beside psql's COPY of its rows.

The limit reads the rows from a file into a table with the same key and indexes; nothing is
decoded or compared. Ours is the command, from the line that says that it begins to read: once into
an empty database schema, and once beside a table in which every row is right already.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from bench.sink_live import Bench, Seen
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.sink.rebuilding import Workplace

IDS = 300_000


def run(infrastructure: Infrastructure) -> list[Figure]:
    """Into an empty table, and beside one that is right."""
    with (
        fresh_namespace(infrastructure) as namespace,
        fresh_database(infrastructure) as database_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        workplace = Workplace(infrastructure, namespace=namespace, database_url=database_url)
        bench = Bench(
            infrastructure,
            namespace=namespace,
            database_url=database_url,
            folder=Path(folder),
            ids=IDS,
        )
        record_bytes = bench.publish(0)
        filled = _rebuilt(workplace)
        same = _rebuilt(workplace)
        limit = _copied(bench)
    return [
        _figure("rebuild", filled, limit, record_bytes),
        _figure("rebuild_unchanged", same, limit, record_bytes),
    ]


def _figure(name: str, seconds: float, limit: Seen, record_bytes: int) -> Figure:
    per_second = IDS / seconds
    return Figure(
        name=name,
        per_second=per_second,
        ratio=per_second / limit.per_second,
        details={"limit_per_second": round(limit.per_second), "record_bytes": record_bytes},
    )


def _rebuilt(workplace: Workplace) -> float:
    """Seconds from when the command begins to read until it has ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "stripeline", "sink", "rebuild", "subscription"],
        env=workplace.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        began = time.monotonic()
        rest = process.stdout.read()
    assert process.returncode == 0, first + rest
    return time.monotonic() - began


def _copied(bench: Bench) -> Seen:
    file, columns = bench.dumped()
    listed = ", ".join(f'"{column}"' for column in columns)
    return bench.timed_psql(
        f"""
        \\copy beside.subscription ({listed}) from '{file}'
        select pg_backend_pid() as pid \\gset
        \\setenv POSTGRES_PID :pid
        \\! cat /proc/$POSTGRES_PID/stat
        """
    )
