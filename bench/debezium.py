"""The sink beside Debezium's JDBC sink on Kafka Connect: one topic, one Postgres, one run.

Both write the same records into tables of the same shape and indexes, in turns. Each is timed from
when its first row of a round can be seen to when its last can, so neither's start counts; the Java
process stays from round to round, and what it compiled with it. Its settings are the best that
were found.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import connect
from bench.connect import Worker
from bench.figures import Figure
from bench.machine import cpu_seconds, peak_memory_mib
from bench.sink_live import Place, place
from bench.sinks import LOOK_SECONDS, Seen, backends_of
from bench.subscriptions import Published
from stack.errors import StackError
from tests.infrastructure import Infrastructure

IDS = 100_000
PARTITIONS = 4
UPSERT_ROUNDS = 4
TABLE = "subscription"
JAVA_OPTIONS = ("-Xms2g", "-Xmx2g", "-XX:+UseParallelGC")
BATCH_RECORDS = 5_000
TASKS = 2
SECONDS_MAX = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run the connector.

    Attributes:
        name: of the figure, and of the table.
        topic: what it reads.
        settings: those that differ.
    """

    name: str
    topic: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """All sides writing the same records; theirs by the variant's name."""

    ours: Seen
    theirs: Mapping[str, Seen]


def run(infrastructure: Infrastructure) -> list[Figure]:
    """First all rows new, then each of them changed."""
    try:
        parts = connect.installed()
    except StackError as error:
        print(f"debezium skipped: {' '.join(str(error).split())}", flush=True)
        return []
    with (
        place(infrastructure) as at,
        tempfile.TemporaryDirectory() as folder,
        connect.running(
            parts, kafka=infrastructure.kafka, folder=Path(folder), options=JAVA_OPTIONS
        ) as worker,
    ):
        variants = made_variants(at)
        rounds = [
            _round(infrastructure, at, worker, variants, version)
            for version in range(1 + UPSERT_ROUNDS)
        ]
    return [
        *(_figure(one.name, one.name, rounds[1:]) for one in variants),
        *(_figure(f"{one.name}_inserts", one.name, rounds[:1]) for one in variants),
    ]


def made_variants(at: Place) -> list[Variant]:
    """The topic, its twin, and who reads what.

    One statement for a batch (`unnest`) is the connector's fastest way, but it hands values on as
    they are, and Postgres takes no number for a time. So there the times are numbers all the way.
    """
    twin = f"{at.publisher.names.namespace}-numbers"
    at.publisher.make_topics([TABLE], partitions=PARTITIONS)
    at.publisher.make_twin(TABLE, topic=twin, partitions=PARTITIONS)
    return [
        Variant(name="debezium", topic=at.publisher.topic(TABLE), settings={}),
        Variant(
            name="debezium_unnest",
            topic=twin,
            settings={"dialect.postgres.unnest.insert.enabled": "true"},
        ),
    ]


def _round(
    infrastructure: Infrastructure,
    at: Place,
    worker: Worker,
    variants: Sequence[Variant],
    version: int,
) -> Round:
    published = at.publisher.publish(TABLE, range(IDS), version=version)
    ours = _ours(at, published, version)
    if version == 0:
        at.sinks.watcher.execute("create schema beside")
    theirs = {}
    for variant in variants:
        if version == 0:
            _make_table(at, variant)
            worker.begin(variant.name, settings(infrastructure, at, variant))
        theirs[variant.name] = _theirs(at, worker, variant, published, version)
    return Round(ours=ours, theirs=theirs)


def settings(infrastructure: Infrastructure, at: Place, variant: Variant) -> dict[str, str]:
    """The connector's settings."""
    database = urlsplit(at.database_url)
    options = f"ApplicationName={variant.name}&reWriteBatchedInserts=true&stringtype=unspecified"
    registry = infrastructure.registry.partition("/apis/")[0]
    return {
        "connector.class": connect.SINK_CLASS,
        "tasks.max": str(TASKS),
        "topics": variant.topic,
        "connection.url": (
            f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}?{options}"
        ),
        "connection.username": database.username or "",
        "connection.password": database.password or "",
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "id",
        "schema.evolution": "none",
        "collection.name.format": f"beside.{variant.name}",
        # Our tables do not keep it either.
        "field.exclude.list": f"{variant.topic}:_previous",
        "use.reduction.buffer": "true",
        "batch.size": str(BATCH_RECORDS),
        "value.converter": connect.CONVERTER_CLASS,
        "value.converter.apicurio.registry.url": f"{registry}/apis/registry/v2",
        # The Confluent frame: a zero byte and 4 bytes of an id.
        "value.converter.apicurio.registry.as-confluent": "true",
        "value.converter.apicurio.registry.use-id": "contentId",
        "value.converter.apicurio.registry.headers.enabled": "false",
        "consumer.override.max.poll.records": str(BATCH_RECORDS),
        "consumer.override.fetch.min.bytes": "1000000",
        "consumer.override.fetch.max.bytes": "52428800",
        "consumer.override.max.partition.fetch.bytes": "16777216",
        "consumer.override.auto.offset.reset": "earliest",
        **variant.settings,
    }


def _make_table(at: Place, variant: Variant) -> None:
    """The sink's table once more, with numbers in the place of times for who reads the twin."""
    table = f"beside.{variant.name}"
    at.sinks.watcher.execute(
        f"create table {table} "
        f"(like stripe.{TABLE} including defaults including indexes including storage)"
    )
    if variant.topic == at.publisher.topic(TABLE):
        return
    times = at.sinks.watcher.execute(
        "select attname::text from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 and atttypid = 'timestamptz'::regtype",
        [table],
    ).fetchall()
    changes = [f'alter "{name}" type bigint using null' for (name,) in times]
    at.sinks.watcher.execute(f"alter table {table} {', '.join(changes)}")


def _ours(at: Place, published: Published, version: int) -> Seen:
    with at.sinks.running() as (service,):
        return _timed(
            at,
            f"stripe.{TABLE}",
            published,
            version,
            process_id=lambda: service.process_id,
            backends=at.sinks.backends,
            failure=lambda: "",
        )


def _theirs(
    at: Place, worker: Worker, variant: Variant, published: Published, version: int
) -> Seen:
    worker.resume(variant.name)
    seen = _timed(
        at,
        f"beside.{variant.name}",
        published,
        version,
        process_id=lambda: worker.process_id,
        backends=lambda: backends_of(at.sinks.watcher, variant.name),
        failure=lambda: worker.failure(variant.name),
    )
    worker.pause(variant.name)
    return seen


def _timed(
    at: Place,
    table: str,
    published: Published,
    version: int,
    *,
    process_id: Callable[[], int],
    backends: Callable[[], Sequence[int]],
    failure: Callable[[], str],
) -> Seen:
    """From when the first of the partitions' first rows is seen to when all last ones are."""
    first, last = list(published.first.values()), list(published.last.values())
    _await(lambda: _count(at, table, version, first) > 0, failure)
    began, client_began = time.monotonic(), cpu_seconds(process_id())
    postgres_began = {one: cpu_seconds(one) for one in backends()}
    before = _count(at, table, version, None)
    _await(lambda: _count(at, table, version, last) == len(last), failure)
    seconds, rows = time.monotonic() - began, IDS - before
    # A session may have come meanwhile; of one that went, nothing can be known any more.
    postgres_seconds = sum(cpu_seconds(one) - postgres_began.get(one, 0.0) for one in backends())
    client_seconds = cpu_seconds(process_id()) - client_began
    assert _count(at, table, version, None) == IDS
    return Seen(
        per_second=rows / seconds,
        client_cpu_micros=client_seconds / rows * 1e6,
        postgres_cpu_micros=postgres_seconds / rows * 1e6,
        client_peak_mib=peak_memory_mib(process_id()),
    )


def _count(at: Place, table: str, version: int, ids: list[str] | None) -> int:
    """How many rows have this version; of some ids, or of all."""
    try:
        row = at.sinks.watcher.execute(
            f"select count(*) from {table} where _event_id like %s "
            + ("" if ids is None else "and id = any(%s)"),
            [f"evt_{version}_%", *([] if ids is None else [ids])],
        ).fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    assert row is not None
    return int(row[0])


def _await(claim: Callable[[], bool], failure: Callable[[], str]) -> None:
    began = looked = time.monotonic()
    while not claim():
        now = time.monotonic()
        if now - looked > 1:
            looked = now
            told = failure()
            assert not told, told
        assert now - began < SECONDS_MAX
        time.sleep(LOOK_SECONDS)


def _figure(name: str, variant: str, rounds: list[Round]) -> Figure:
    def middle(value: Callable[[Round], float]) -> float:
        return statistics.median(value(one) for one in rounds)

    ours = middle(lambda one: one.ours.per_second)
    theirs = middle(lambda one: one.theirs[variant].per_second)
    our_cpu = middle(lambda one: one.ours.client_cpu_micros)
    our_postgres = middle(lambda one: one.ours.postgres_cpu_micros)
    their_cpu = middle(lambda one: one.theirs[variant].client_cpu_micros)
    their_postgres = middle(lambda one: one.theirs[variant].postgres_cpu_micros)
    return Figure(
        name=name,
        per_second=ours,
        ratio=ours / theirs,
        details={
            "debezium_per_second": round(theirs),
            "sink_cpu_us": round(our_cpu, 1),
            "sink_postgres_cpu_us": round(our_postgres, 1),
            "debezium_cpu_us": round(their_cpu, 1),
            "debezium_postgres_cpu_us": round(their_postgres, 1),
            "cpu_ratio": round((our_cpu + our_postgres) / (their_cpu + their_postgres), 2),
            "client_cpu_ratio": round(our_cpu / their_cpu, 2),
            "postgres_cpu_ratio": round(our_postgres / their_postgres, 2),
            "sink_peak_mib": round(max(one.ours.client_peak_mib for one in rounds)),
            "debezium_peak_mib": round(max(one.theirs[variant].client_peak_mib for one in rounds)),
        },
    )
