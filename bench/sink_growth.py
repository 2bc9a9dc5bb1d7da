"""What a change costs in a table of 10,000, 100,000 and a million rows, and the sink's memory.

Beside the sink, Postgres alone: the upsert of rows that come from tables beside, in batches like
the sink's (`postgres_alone_cpu_us`, without the COPY that the sink needs). It says how much of
what a larger table costs is not the sink's.

`SINK_GROWTH_ROWS_MAX=10000000` goes on to ten million, with smaller records so that the disk holds
them; it takes several minutes and some 40 GB.
"""

import os
import random
import statistics
from collections.abc import Callable, Iterator

import psycopg

from bench.figures import Figure
from bench.machine import cpu_seconds
from bench.sink_live import TABLE, Place, place
from bench.sinks import Seen
from bench.subscriptions import NOTE_CHARACTERS, SEED, subscription_id
from tests.infrastructure import Infrastructure

PARTITIONS = 4
ROWS = 10_000
ROWS_MAX = int(os.environ.get("SINK_GROWTH_ROWS_MAX", "1000000"))
ROWS_OF_LARGE_RECORDS_MAX = 1_000_000
CHANGES = 100_000
BATCH_ROWS = 10_000
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
            alone = _upserted_alone(at, rows)
            figures.append(_figure(at, rows, rounds, alone, figures))
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


def _upserted_alone(at: Place, rows: int) -> float:
    """The same number of changes without a sink; microseconds of processor time for each."""
    with psycopg.connect(at.database_url, autocommit=True) as session:
        names = [
            f'"{name}"'
            for (name,) in session.execute(
                "select attname::text from pg_attribute where attnum > 0 "
                "and attgenerated = '' and attrelid = %s::regclass order by attnum",
                [f"stripe.{TABLE}"],
            )
        ]
        listed = ", ".join(names)
        changed = ", ".join(f"{name} = excluded.{name}" for name in names if name != '"id"')
        session.execute("set jit to off")
        used = 0.0
        for batch in range(CHANGES // BATCH_ROWS):
            numbers = random.Random(SEED + batch).sample(range(rows), BATCH_ROWS)
            # A microsecond is newer than what is there, and older than the sink's next change.
            session.execute(
                f"create temporary table batch_{batch} as select * from stripe.{TABLE} "
                "where id = any(%s) order by id",
                [[subscription_id(number) for number in numbers]],
            )
            session.execute(f"update batch_{batch} set _event_at = _event_at + interval '1 us'")
            began = cpu_seconds(session.info.backend_pid)
            session.execute(
                f"insert into stripe.{TABLE} as mine ({listed}) select {listed} "
                f"from batch_{batch} on conflict (id) do update set {changed} "
                "where excluded._event_at > mine._event_at"
            )
            used += cpu_seconds(session.info.backend_pid) - began
            session.execute(f"drop table batch_{batch}")
        return used / CHANGES * 1e6


def _figure(
    at: Place, rows: int, rounds: list[Seen], alone: float, smaller: list[Figure]
) -> Figure:
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
    own = middle(lambda seen: seen.client_cpu_micros)
    first_own = float(smaller[0].details["sink_cpu_us"]) if smaller else own
    return Figure(
        name=f"sink_growth_{rows}",
        per_second=per_second,
        details={
            "cpu_us": round(cpu, 1),
            "sink_cpu_us": round(own, 1),
            "postgres_cpu_us": round(middle(lambda seen: seen.postgres_cpu_micros), 1),
            "postgres_alone_cpu_us": round(alone, 1),
            "time_over_first": round(first / per_second, 2),
            "cpu_over_first": round(cpu / first_cpu, 2),
            "sink_cpu_over_first": round(own / first_own, 2),
            "peak_memory_mib": round(max(seen.client_peak_mib for seen in rounds)),
            "table_mib": round(size[0] / 2**20),
        },
    )
