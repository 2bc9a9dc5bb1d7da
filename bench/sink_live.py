"""The sink's speed: subscriptions upserted from Kafka, beside what Postgres does by itself.

The limit is `psql`: COPY of the same rows from a file into a temporary table, then one guarded
insert-select into a table of the same shape; nothing is decoded, deduplicated or recorded.
"""

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.psql import Psql
from bench.sinks import Seen, Sinks
from bench.subscriptions import Publisher
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace

IDS = 100_000
PARTITIONS = 4
UPSERT_ROUNDS = 3
TABLE = "subscription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Both sides writing the same rows."""

    ours: Seen
    limit: Seen
    record_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a benchmark of the sink takes place: a namespace, a database and a folder."""

    publisher: Publisher
    sinks: Sinks
    database_url: str
    folder: Path


@contextmanager
def place(infrastructure: Infrastructure) -> Iterator[Place]:
    """A fresh place, removed afterwards."""
    with (
        fresh_namespace(infrastructure) as namespace,
        fresh_database(infrastructure) as database_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        publisher = Publisher(infrastructure, namespace=namespace)
        sinks = Sinks(
            infrastructure,
            names=publisher.names,
            database_url=database_url,
            folder=Path(folder),
        )
        with closing(sinks):
            yield Place(
                publisher=publisher, sinks=sinks, database_url=database_url, folder=Path(folder)
            )


def run(infrastructure: Infrastructure) -> list[Figure]:
    """First all rows new, then each of them changed; both sides after each other."""
    with place(infrastructure) as at:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        psql = Psql(database_url=at.database_url, folder=at.folder)
        rounds = []
        for version in range(1 + UPSERT_ROUNDS):
            published = at.publisher.publish(TABLE, range(IDS), version=version)
            ours = at.sinks.caught_up((version + 1) * IDS)
            limit = psql.guarded_load()
            rounds.append(Round(ours=ours, limit=limit, record_bytes=published.record_bytes))
    # The figure that has a target comes first.
    return [_figure("sink_live", rounds[1:]), _figure("sink_live_inserts", rounds[:1])]


def _figure(name: str, rounds: list[Round]) -> Figure:
    """The middle of several rounds, figure by figure: a shared machine has bad moments."""

    def middle(value: Callable[[Round], float]) -> float:
        return statistics.median(value(one) for one in rounds)

    ours = middle(lambda one: one.ours.per_second)
    limit = middle(lambda one: one.limit.per_second)
    return Figure(
        name=name,
        per_second=ours,
        ratio=ours / limit,
        details={
            "limit_per_second": round(limit),
            "sink_cpu_us": round(middle(lambda one: one.ours.client_cpu_micros), 1),
            "postgres_cpu_us": round(middle(lambda one: one.ours.postgres_cpu_micros), 1),
            "limit_postgres_cpu_us": round(middle(lambda one: one.limit.postgres_cpu_micros), 1),
            "peak_memory_mib": round(max(one.ours.client_peak_mib for one in rounds)),
            "record_bytes": rounds[0].record_bytes,
        },
    )
