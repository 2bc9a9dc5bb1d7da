"""Many topics beside one: the same number of records, once in many tables and once in one.

`sink_topics` is a long catching up. `sink_small_changes` is one helping for a sink that had
nothing to do: it is held still while the records are written, and timed from when it may go on.
The changes are of a tenth of the objects, chosen at random, and each object has changed before, so
that the tables are those of an application that has run for a while.
"""

import random
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench.figures import Figure
from bench.sink_live import Place, place
from bench.sinks import Seen
from bench.subscriptions import SEED, Record
from tests.end_to_end.services import Service
from tests.infrastructure import Infrastructure

PARTITIONS = 4
TOPICS = 10
RECORDS = 300_000
UPSERT_ROUNDS = 2
FILLED = 2
"""Versions of each object that stand before small changes are measured."""
SMALL_TOPICS = 50
SMALL_RECORDS = 10_000
SMALL_OBJECTS = 100_000
SMALL_ROUNDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One sink with its topics."""

    at: Place
    tables: list[str]
    objects: int

    @property
    def objects_of_each(self) -> int:
        """How many objects a table has."""
        return self.objects // len(self.tables)

    def publish(self, version: int) -> None:
        """One change of each object of every table, one table after the other."""
        for table in self.tables:
            self.at.publisher.publish(table, range(self.objects_of_each), version=version)

    def publish_mixed(self, version: int) -> None:
        """Changes of some objects, the tables mixed."""
        chance = random.Random(SEED + version)
        mixed: list[Record] = []
        for table in self.tables:
            some = chance.sample(range(self.objects_of_each), SMALL_RECORDS // len(self.tables))
            mixed += self.at.publisher.records(table, some, version=version)
        chance.shuffle(mixed)
        self.at.publisher.send(mixed)


def run(infrastructure: Infrastructure) -> list[Figure]:
    """Both sides in turns."""
    with ExitStack() as stack:
        one = _side(infrastructure, stack, topics=1, objects=RECORDS)
        many = _side(infrastructure, stack, topics=TOPICS, objects=RECORDS)
        large = [
            (_caught_up(one, version), _caught_up(many, version))
            for version in range(1 + UPSERT_ROUNDS)
        ]
    with ExitStack() as stack:
        one = _side(infrastructure, stack, topics=1, objects=SMALL_OBJECTS)
        many = _side(infrastructure, stack, topics=SMALL_TOPICS, objects=SMALL_OBJECTS)
        sinks = [_filled(side, stack) for side in (one, many)]
        small = [
            (_helping(one, sinks[0], version), _helping(many, sinks[1], version))
            for version in range(FILLED, FILLED + 1 + SMALL_ROUNDS)
        ]
    # In the first round the rows are new, or the sinks have not had so many topics in a batch.
    return [
        _figure("sink_topics", large[1:], topics=TOPICS),
        _figure("sink_small_changes", small[1:], topics=SMALL_TOPICS),
    ]


def _side(infrastructure: Infrastructure, stack: ExitStack, *, topics: int, objects: int) -> Side:
    at = stack.enter_context(place(infrastructure))
    tables = [f"subscription_{number}" for number in range(topics)]
    at.publisher.make_topics(tables, partitions=PARTITIONS)
    return Side(at=at, tables=tables, objects=objects)


def _caught_up(side: Side, version: int) -> Seen:
    side.publish(version)
    return side.at.sinks.caught_up((version + 1) * side.objects)


def _filled(side: Side, stack: ExitStack) -> Service:
    """A sink that has written each object, and a change of it."""
    (sink,) = stack.enter_context(side.at.sinks.running())
    for version in range(FILLED):
        side.publish(version)
        side.at.sinks.await_written((version + 1) * side.objects, [sink])
    # As the server does by itself within minutes.
    side.at.sinks.watcher.execute("vacuum analyze")
    return sink


def _helping(side: Side, sink: Service, version: int) -> Seen:
    return side.at.sinks.held(sink, lambda: side.publish_mixed(version), records=SMALL_RECORDS)


def _figure(name: str, rounds: list[tuple[Seen, Seen]], *, topics: int) -> Figure:
    """The many topics' figures; the ratio is over the one topic's."""

    def middle(value: Callable[[Seen], float]) -> tuple[float, float]:
        ones, manys = zip(*rounds, strict=True)
        return (
            statistics.median(value(seen) for seen in ones),
            statistics.median(value(seen) for seen in manys),
        )

    per_second_one, per_second_many = middle(lambda seen: seen.per_second)
    sink_one, sink_many = middle(lambda seen: seen.client_cpu_micros)
    postgres_one, postgres_many = middle(lambda seen: seen.postgres_cpu_micros)
    return Figure(
        name=name,
        per_second=per_second_many,
        ratio=per_second_many / per_second_one,
        details={
            "topics": topics,
            "one_topic_per_second": round(per_second_one),
            "sink_cpu_us": round(sink_many, 1),
            "postgres_cpu_us": round(postgres_many, 1),
            "one_topic_sink_cpu_us": round(sink_one, 1),
            "one_topic_postgres_cpu_us": round(postgres_one, 1),
            "cpu_ratio": round((sink_many + postgres_many) / (sink_one + postgres_one), 2),
        },
    )
