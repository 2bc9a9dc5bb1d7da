"""What a change costs in a table of 10,000, 100,000 and a million rows, and the sink's memory.

Each table has been changed once all over before it is measured, so that its pages have room where
rows were, as those of a table that has lived for a while, and the sink stays the same. The tables
take turns, so that a slow moment of the machine is one of all of them. The server is one of the
benchmark's own, with memory for its tables, as `docs/operations.md` advises.

`SINK_GROWTH_ROWS_MAX=10000000` goes on to ten million, with smaller records so that the disk holds
them; it takes half an hour, 16 GB of memory and 60 GB of disk.
"""

import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.figures import Figure
from bench.sink_live import TABLE, Place, place
from bench.sinks import Seen
from bench.subscriptions import NOTE_CHARACTERS, SEED
from stack.reach import open_place
from tests.infrastructure import Infrastructure
from tests.sink.servers import Server, any_binaries

ROWS = 10_000
ROWS_MAX = int(os.environ.get("SINK_GROWTH_ROWS_MAX", "1000000"))
ROWS_OF_LARGE_RECORDS_MAX = 1_000_000
CHANGES = 100_000
ROUNDS = 9
PARTITIONS = 1
BATCH_ROWS = 2_000
"""So few that hardly a batch has two changes of one row, which would be written as one."""
SERVER = {
    "fsync": "on",
    "shared_buffers": "6GB" if ROWS_MAX <= ROWS_OF_LARGE_RECORDS_MAX else "12GB",
    # No checkpoint falls into the rounds: at full load each page changes many times between two.
    "max_wal_size": "64GB",
    "checkpoint_timeout": "1h",
}


def run(infrastructure: Infrastructure) -> Iterator[Figure]:
    """Ten times as many rows with each table."""
    note_characters = NOTE_CHARACTERS if ROWS_MAX <= ROWS_OF_LARGE_RECORDS_MAX else 0
    with _server(infrastructure) as served, ExitStack() as stack:
        tables = [
            _Table(
                stack.enter_context(place(served)),
                stack,
                rows=rows,
                note_characters=note_characters,
            )
            for rows in _sizes()
        ]
        for table in tables:
            _tell(f"filling a table of {table.rows:,} rows")
            table.fill()
        for number in range(ROUNDS):
            _tell(f"round {number + 1} of {ROUNDS}")
            for table in tables:
                table.change()
        for table in tables:
            yield _figure(table, tables[0])


class _Table:
    """One table of so many rows, in a database of its own, with a sink that stays."""

    def __init__(self, at: Place, stack: ExitStack, *, rows: int, note_characters: int) -> None:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        environment = {"SINK_BATCH_RECORDS_MAX": str(BATCH_ROWS)}
        (self._sink,) = stack.enter_context(at.sinks.running(environment=environment))
        self.at = at
        self.rows = rows
        self.rounds: list[Seen] = []
        self._note_characters = note_characters
        self._version = 0

    def fill(self) -> None:
        """Insert every row, and change every row once."""
        for times in (1, 2):
            self._publish(range(self.rows))
            self.at.sinks.await_written(times * self.rows, [self._sink])
            self.at.publisher.forget(TABLE, partitions=PARTITIONS)

    def change(self) -> None:
        """Change some rows at random, and see what the sink needs for it."""
        self.rounds.append(self.at.sinks.held(self._sink, self._publish_changes, records=CHANGES))

    def _publish_changes(self) -> None:
        for _batch in range(CHANGES // BATCH_ROWS):
            chosen = random.Random(SEED + self._version)
            self._publish(chosen.sample(range(self.rows), BATCH_ROWS))

    def _publish(self, numbers: Sequence[int]) -> None:
        self.at.publisher.publish(
            TABLE, numbers, version=self._version, note_characters=self._note_characters
        )
        self._version += 1

    def middle(self, value: Callable[[Seen], float]) -> float:
        """The middle of the rounds."""
        return statistics.median(value(seen) for seen in self.rounds)

    def over(self, first: "_Table", value: Callable[[Seen], float]) -> float:
        """This table's value over the first one's, the middle of what each round gives."""
        return statistics.median(
            value(mine) / value(its) for mine, its in zip(self.rounds, first.rounds, strict=True)
        )

    def mebibytes(self) -> int:
        """The table with its indexes."""
        row = self.at.sinks.watcher.execute(
            f"select pg_total_relation_size('stripe.{TABLE}')"
        ).fetchone()
        assert row is not None
        return int(row[0]) // 2**20


def _sizes() -> Iterator[int]:
    rows = ROWS
    while rows <= ROWS_MAX:
        yield rows
        rows *= 10


def _tell(what: str) -> None:
    """What goes on: with ten million rows it is long."""
    print(f"sink_growth: {what}", file=sys.stderr, flush=True)


@contextmanager
def _server(infrastructure: Infrastructure) -> Iterator[Infrastructure]:
    """The same Kafka, and a Postgres with more memory."""
    with tempfile.TemporaryDirectory(dir=open_place()) as folder:
        server = Server(any_binaries(), folder=Path(folder))
        server.initialise()
        server.start(SERVER)
        try:
            yield replace(infrastructure, postgres=server.url())
        finally:
            server.stop()


def _figure(table: _Table, first: _Table) -> Figure:
    def cpu(seen: Seen) -> float:
        return seen.client_cpu_micros + seen.postgres_cpu_micros

    def sink(seen: Seen) -> float:
        return seen.client_cpu_micros

    def seconds(seen: Seen) -> float:
        return 1 / seen.per_second

    return Figure(
        name=f"sink_growth_{table.rows}",
        per_second=1 / table.middle(seconds),
        details={
            "cpu_us": round(table.middle(cpu), 1),
            "sink_cpu_us": round(table.middle(sink), 1),
            "postgres_cpu_us": round(table.middle(lambda seen: seen.postgres_cpu_micros), 1),
            "cpu_over_first": round(table.over(first, cpu), 2),
            "sink_cpu_over_first": round(table.over(first, sink), 2),
            "time_over_first": round(table.over(first, seconds), 2),
            "peak_memory_mib": round(max(seen.client_peak_mib for seen in table.rounds)),
            "table_mib": table.mebibytes(),
        },
    )
