"""What a change costs in a table of 10,000, 100,000 and a million rows, and the sink's memory.

`SINK_GROWTH_ROWS_MAX=10000000` goes on to ten million, with smaller records so that the disk holds
them; it takes several minutes and some 40 GB.
"""

import os
import random
import statistics
from collections.abc import Callable, Iterator

from bench.figures import Figure
from bench.sink_live import TABLE, Place, place
from bench.sinks import Seen
from bench.subscriptions import NOTE_CHARACTERS, SEED
from tests.infrastructure import Infrastructure

PARTITIONS = 4
ROWS = 10_000
ROWS_MAX = int(os.environ.get("SINK_GROWTH_ROWS_MAX", "1000000"))
ROWS_OF_LARGE_RECORDS_MAX = 1_000_000
CHANGES = 100_000
ROUNDS = 3


def run(infrastructure: Infrastructure) -> Iterator[Figure]:
    """Ten times as many rows with each step, and at each some rounds of changes."""
    note_characters = NOTE_CHARACTERS if ROWS_MAX <= ROWS_OF_LARGE_RECORDS_MAX else 0
    figures: list[Figure] = []
    with place(infrastructure) as at:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        records = before = version = 0
        for rows in _sizes():
            new = range(before, rows)
            at.publisher.publish(TABLE, new, version=0, note_characters=note_characters)
            records, before = records + len(new), rows
            at.sinks.fill(records)
            rounds = []
            for _round in range(ROUNDS):
                for numbers in _changed(rows, version):
                    version += 1
                    at.publisher.publish(
                        TABLE, numbers, version=version, note_characters=note_characters
                    )
                    records += len(numbers)
                rounds.append(at.sinks.caught_up(records))
            figures.append(_figure(at, rows, rounds, figures))
            yield figures[-1]


def _sizes() -> Iterator[int]:
    rows = ROWS
    while rows <= ROWS_MAX:
        yield rows
        rows *= 10


def _changed(rows: int, version: int) -> Iterator[list[int]]:
    """Which rows change: some of many, or all of a few again and again."""
    if rows >= CHANGES:
        yield random.Random(SEED + version).sample(range(rows), CHANGES)
    else:
        for _time in range(CHANGES // rows):
            yield list(range(rows))


def _figure(at: Place, rows: int, rounds: list[Seen], smaller: list[Figure]) -> Figure:
    def middle(value: Callable[[Seen], float]) -> float:
        return statistics.median(value(seen) for seen in rounds)

    size = at.sinks.watcher.execute(
        "select pg_total_relation_size('stripe.subscription')"
    ).fetchone()
    assert size is not None
    cpu = middle(lambda seen: seen.client_cpu_micros + seen.postgres_cpu_micros)
    per_second = middle(lambda seen: seen.per_second)
    first = smaller[0].per_second if smaller else per_second
    assert first is not None
    first_cpu = float(smaller[0].details["cpu_us"]) if smaller else cpu
    return Figure(
        name=f"sink_growth_{rows}",
        per_second=per_second,
        details={
            "cpu_us": round(cpu, 1),
            "sink_cpu_us": round(middle(lambda seen: seen.client_cpu_micros), 1),
            "postgres_cpu_us": round(middle(lambda seen: seen.postgres_cpu_micros), 1),
            "time_over_first": round(first / per_second, 2),
            "cpu_over_first": round(cpu / first_cpu, 2),
            "peak_memory_mib": round(max(seen.client_peak_mib for seen in rounds)),
            "table_mib": round(size[0] / 2**20),
        },
    )
