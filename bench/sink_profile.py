"""Where the time of a changed row goes: processor time by step, the sink's and Postgres'.

The sink's own parts are called one after the other in this process, so that each can be timed. The
picture is written beside the results; `docs/sink-profile.svg` is a copy of it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from bench.bars import Bar, picture
from bench.figures import RESULTS, Figure
from bench.machine import cpu_seconds
from bench.sink_live import TABLE, Place, place
from bench.sinks import APPLICATION, backends_of
from schemas.codec import unframe
from schemas.registry import Registry
from sink.batch import Batch, Partition, Record
from sink.claims import Step
from sink.copy_format import copy_chunks
from sink.load import Load
from sink.loader import Loader
from sink.many_rows import newest_of_each_key
from sink.postgres_database import PostgresDatabase
from sink.postgres_stages import Stages
from tests.infrastructure import Infrastructure

PARTITIONS = 4
IDS = 30_000
VERSIONS = 4
BATCH_RECORDS = 10_000
READ_SECONDS_MAX = 60.0
READ = "read from Kafka"
FRAMES = "frames and groups"
DECODE = "decode"
NEWEST = "sort and newest of each key"
ENCODE = "columns to COPY"
SEND = "send and wait"
COPY = "Postgres COPY"
UPSERT = "Postgres upsert and commit"
STEPS = (READ, FRAMES, DECODE, NEWEST, ENCODE, SEND, COPY, UPSERT)


@dataclass(slots=True)
class Spent:
    """Processor seconds by step."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))

    @contextmanager
    def on(self, step: str, used: Callable[[], float] = time.process_time) -> Iterator[None]:
        """Add what the block uses."""
        began = used()
        yield
        self.seconds[step] += used() - began


def run(infrastructure: Infrastructure) -> list[Figure]:
    """The first version fills the table; the changes after it are what is measured."""
    with place(infrastructure) as at, closing(Registry(infrastructure.registry)) as registry:
        at.publisher.make_topics([TABLE], partitions=PARTITIONS)
        for version in range(1 + VERSIONS):
            at.publisher.publish(TABLE, range(IDS), version=version)
        loader = Loader(names=at.publisher.names, schema="stripe", writer_schema=registry.schema)
        spent = _spent(infrastructure, at, loader)
    rows = VERSIONS * IDS
    micros = {step: seconds / rows * 1e6 for step, seconds in spent.seconds.items()}
    total = sum(micros.values())
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sink-profile.svg").write_text(
        picture(
            f"Processor time of a changed row of 1.5 KB: {total:.0f} us",
            [
                Bar(name=step, value=value, ours=step not in (COPY, UPSERT))
                for step, value in micros.items()
            ],
        )
    )
    return [
        Figure(
            name="sink_profile",
            details={
                "total_us": round(total, 1),
                **{
                    f"{step.replace(' ', '_').lower()}_us": round(value, 1)
                    for step, value in micros.items()
                },
            },
        )
    ]


def _spent(infrastructure: Infrastructure, at: Place, loader: Loader) -> Spent:
    topic = at.publisher.topic(TABLE)
    spent = Spent()
    database = PostgresDatabase(at.database_url, schema="stripe")
    database.migrate()
    places = [Partition(topic, number) for number in range(PARTITIONS)]
    fences = {one: claim.fence for one, claim in database.claim(places).items()}
    reached = dict.fromkeys(places, 0)
    with (
        closing(database),
        psycopg.connect(at.database_url, autocommit=True) as beside,
    ):
        beside.execute("set jit to off")
        (backend,) = backends_of(at.sinks.watcher, APPLICATION)
        stages = Stages()
        with spent.on(READ):
            every = _read(infrastructure, places)
        # The others are measured without the first version, whose rows are new.
        spent.seconds[READ] *= VERSIONS / (1 + VERSIONS)
        for first in range(0, len(every), BATCH_RECORDS):
            records = every[first : first + BATCH_RECORDS]
            now = spent if first >= IDS else Spent()
            batch = Batch(records=records, fences=fences)
            load = _prepared(loader, batch, now)
            steps = {
                one: Step(
                    fence=fences[one],
                    reached=reached[one],
                    next_offset=offset,
                    dead_letters_in_a_row=0,
                )
                for one, offset in load.next_offsets.items()
            }
            with now.on(SEND), now.on(UPSERT, lambda: cpu_seconds(backend)):
                database.write(load, dead=(), steps=steps)
            reached |= load.next_offsets
            # The same bytes alone, in another session.
            with now.on(COPY, lambda: cpu_seconds(beside.info.backend_pid)):
                stages.filled(beside, load.tables)
            beside.execute("commit")
    # What the session used was for both.
    spent.seconds[UPSERT] -= spent.seconds[COPY]
    return spent


def _prepared(loader: Loader, batch: Batch, spent: Spent) -> Load:
    """The load, and what its parts take when they are called alone."""
    bodies, schema_id = [], 0
    for record in batch.records:
        value = record.value()
        assert isinstance(value, bytes)
        schema_id, body = unframe(value)
        bodies.append(body)
    writer = loader.writer(schema_id)
    parts = Spent()
    with parts.on(DECODE):
        rows = writer.codec.decode(bodies)
    columns = [
        column
        for column in writer.shape.columns
        if rows.column(column.name).null_count < rows.num_rows
    ]
    with parts.on(NEWEST):
        newest = newest_of_each_key(rows.select([column.name for column in columns]), ("id",))
    with parts.on(ENCODE):
        copy_chunks(newest, columns)
    whole = Spent()
    with whole.on(FRAMES):
        load = loader.load(batch)
    for step, seconds in parts.seconds.items():
        spent.seconds[step] += seconds
    spent.seconds[FRAMES] += max(0.0, whole.seconds[FRAMES] - sum(parts.seconds.values()))
    return load


def _read(infrastructure: Infrastructure, places: Sequence[Partition]) -> list[Record]:
    """Everything, in batches like the sink's; a partition's records by rising offset."""
    consumer = Consumer(
        {
            "bootstrap.servers": infrastructure.kafka,
            "group.id": "bench-sink-profile",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(one.topic, one.number, OFFSET_BEGINNING) for one in places])
    found: list[Record] = []
    deadline = time.monotonic() + READ_SECONDS_MAX
    while len(found) < (1 + VERSIONS) * IDS:
        assert time.monotonic() < deadline
        for message in consumer.consume(2_000, 0.1):
            assert message.error() is None
            found.append(message)
    consumer.close()
    # One version after the other, as if the sink had followed.
    return sorted(found, key=lambda record: record.offset() or 0)
