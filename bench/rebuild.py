"""The speed of a rebuild: a topic of subscriptions made a table, beside psql's COPY of its rows.

The limit reads the rows from a file into a table with the same key and indexes; nothing is
decoded or compared. Ours is the command, from the line that says that it begins to read: once into
an empty database, and once beside a table in which every row is right already.
"""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from bench.figures import Figure
from bench.machine import cpu_seconds
from bench.psql import Psql
from bench.sink_live import Place, place
from bench.sinks import APPLICATION, Seen, backends_of
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database
from tests.sink.rebuilding import Workplace

IDS = 300_000
PARTITIONS = 4
ROUNDS = 3
TABLE = "subscription"
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Into an empty database, again, and psql with the same rows."""

    filled: Seen
    same: Seen
    limit: Seen


def run(infrastructure: Infrastructure) -> list[Figure]:
    """Some rounds, each in a database of its own."""
    with place(infrastructure) as at:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        published = at.publisher.publish(TABLE, range(IDS), version=0)
        rounds = [_round(infrastructure, at) for _round_number in range(ROUNDS)]
    return [
        _figure("rebuild", rounds, lambda one: one.filled, published.record_bytes),
        _figure("rebuild_unchanged", rounds, lambda one: one.same, published.record_bytes),
    ]


def _round(infrastructure: Infrastructure, at: Place) -> Round:
    with fresh_database(infrastructure) as database_url:
        workplace = Workplace(
            infrastructure, namespace=at.publisher.names.namespace, database_url=database_url
        )
        return Round(
            filled=_rebuilt(workplace),
            same=_rebuilt(workplace),
            limit=Psql(database_url=database_url, folder=at.folder).copied(),
        )


def _figure(
    name: str, rounds: list[Round], ours: Callable[[Round], Seen], record_bytes: int
) -> Figure:
    def middle(value: Callable[[Round], float]) -> float:
        return statistics.median(value(one) for one in rounds)

    return Figure(
        name=name,
        per_second=middle(lambda one: ours(one).per_second),
        ratio=middle(lambda one: ours(one).per_second / one.limit.per_second),
        details={
            "limit_per_second": round(middle(lambda one: one.limit.per_second)),
            "cpu_us": round(middle(lambda one: ours(one).client_cpu_micros), 1),
            "postgres_cpu_us": round(middle(lambda one: ours(one).postgres_cpu_micros), 1),
            "limit_postgres_cpu_us": round(middle(lambda one: one.limit.postgres_cpu_micros), 1),
            "peak_memory_mib": round(max(ours(one).client_peak_mib for one in rounds)),
            "record_bytes": record_bytes,
        },
    )


def _rebuilt(workplace: Workplace) -> Seen:
    """The command, from when it begins to read until it has ended, with its own processes."""
    with subprocess.Popen(
        [sys.executable, "-m", "stripeline", "sink", "rebuild", TABLE],
        env=workplace.environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        began, started_with = time.monotonic(), cpu_seconds(process.pid)
        with _postgres_watched(workplace.site.database_url) as used:
            rest = process.stdout.read()
            # In the place of `Popen.wait`: it also says what the processes under it used.
            _process_id, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - began
    assert process.returncode == 0, first + rest
    return Seen(
        per_second=IDS / seconds,
        client_cpu_micros=(usage.ru_utime + usage.ru_stime - started_with) / IDS * 1e6,
        postgres_cpu_micros=sum(used.values()) / IDS * 1e6,
        client_peak_mib=usage.ru_maxrss / 1024,
    )


@contextmanager
def _postgres_watched(database_url: str) -> Iterator[dict[int, float]]:
    """What each session has used, looked at while it lives: it ends with the command."""
    used: dict[int, float] = {}
    ended = threading.Event()

    def look() -> None:
        with psycopg.connect(database_url, autocommit=True) as watcher:
            while not ended.wait(LOOK_SECONDS):
                for one in backends_of(watcher, APPLICATION):
                    try:
                        used[one] = cpu_seconds(one)
                    except FileNotFoundError:
                        # It went since we were told of it; what was seen last stays.
                        continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield used
    finally:
        ended.set()
        thread.join()
