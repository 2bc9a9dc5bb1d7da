"""Reads a topic for a rebuild, from where it was read to where it ends, by the column."""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.errors import frames_of
from schemas.registry import Registry
from schemas.topics import Names
from sink.batch import Batch, Record, place_of
from sink.errors import Action, PostgresRefused, rule_of
from sink.kafka_ranges import TopicReader, places_of
from sink.load import Dead
from sink.loader import Loader
from sink.postgres import Connection
from sink.postgres_shadow import Shadow
from sink.settings import DatabaseSettings
from sink.straight import Goal, Straight
from sink.tables import CONNECT_SUFFIX, TableName

BATCH_BYTES_MAX: Final = 16 * 1024 * 1024
SEVERAL_RECORDS_MIN: Final = 20_000
"""Fewer offsets than this are read sooner than another process is started."""
SHOW_SECONDS: Final = 0.5

Told = Callable[[int], None]
"""Called with how many offsets were passed since the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where everything is; what a process of its own needs to know.

    Attributes:
        kafka: the librdkafka properties that say how the brokers are reached.
        database_url: Postgres.
        schema: the Postgres schema of the merchant's own rows.
    """

    kafka: Mapping[str, str | int | float | bool] = field(repr=False)
    registry_url: str = field(repr=False)
    database_url: str = field(repr=False)
    schema: str
    namespace: str

    @classmethod
    def of(cls, settings: DatabaseSettings, *, schema: str) -> "Site":
        """What the settings say."""
        return cls(
            kafka=settings.kafka(),
            registry_url=settings.schema_registry_url,
            database_url=settings.database_url.get_secret_value(),
            schema=schema,
            namespace=settings.kafka_namespace,
        )

    @property
    def names(self) -> Names:
        """The installation's topics."""
        return Names(namespace=self.namespace)

    def own(self, table: str) -> TableName:
        """The table of the merchant's own rows."""
        return TableName(schema=self.schema, table=table)

    def connect(self, table: str) -> TableName:
        """The table of the connected accounts' rows."""
        return TableName(schema=self.schema + CONNECT_SUFFIX, table=table)

    def reader(self) -> TopicReader:
        """Reads its topics."""
        return TopicReader(self.kafka, names=self.names)

    def loader(
        self, registry: Registry, *, history: Collection[str] = (), marked: bool = False
    ) -> Loader:
        """Makes rows of its records, always by the column.

        Args:
            history: tables of which every change is kept as well.
            marked: whether every row tells its writer.
        """
        return Loader(
            names=self.names,
            schema=self.schema,
            writer_schema=registry.schema,
            few_max=0,
            history=history,
            marked=marked,
        )

    def shadow(self, connection: Connection, table: str) -> Shadow:
        """The shadow of one object's tables."""
        return Shadow(connection, own=self.own(table), connect=self.connect(table))


def fill(
    site: Site,
    table: str,
    *,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    processes: int,
    straight: bool,
    told: Told,
) -> None:
    """Read a topic into its shadow, its partitions side by side.

    Args:
        straight: into the tables themselves instead.

    Raises:
        KafkaAway, PostgresAway, PostgresRefused, RegistryUnreachable: what was taken in before
            stays, and the next time goes on from there.
    """
    left = {number: start for number, start in starts.items() if start < ends[number]}
    offsets = sum(ends[number] - start for number, start in left.items())
    shares = [sorted(left)[one::processes] for one in range(processes)]
    shares = [share for share in shares if share]
    if len(shares) < 2 or offsets < SEVERAL_RECORDS_MIN:
        _fill_here(site, table, starts=left, ends=ends, straight=straight, told=told)
        return
    # A process that is forked would share the Kafka client's threads and locks.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        len(shares), mp_context=context, initializer=_end_with_parent
    ) as pool:
        running = [
            pool.submit(
                _fill_here,
                site,
                table,
                starts={number: left[number] for number in share},
                ends={number: ends[number] for number in share},
                straight=straight,
                told=_untold,
            )
            for share in shares
        ]
        _watch(site, table, running, starts=left, told=told)
        for one in running:
            one.result()


def _watch(
    site: Site,
    table: str,
    running: list["Future[None]"],
    *,
    starts: Mapping[int, int],
    told: Told,
) -> None:
    """Tell how far the processes are, until all have ended."""
    with contextlib.closing(Connection(site.database_url)) as connection:
        shadow = site.shadow(connection, table)
        seen = sum(starts.values())
        left = set(running)
        while left:
            _done, left = wait(left, SHOW_SECONDS, FIRST_COMPLETED)
            now = shadow.next_offsets()
            reached = sum(now[number] for number in starts)
            told(reached - seen)
            seen = reached


def _end_with_parent() -> None:
    """End this process as soon as its parent has ended, however that was.

    A worker that is left over would wait for work for good, or go on filling a shadow that another
    rebuild fills by then.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _untold(_offsets: int) -> None:
    """The parent reads in Postgres how far its processes are."""


def _fill_here(
    site: Site,
    table: str,
    *,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    straight: bool,
    told: Told,
) -> None:
    """Read these partitions in this process."""
    topic = site.names.object_topic(table)
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        contextlib.closing(Connection(site.database_url)) as connection,
    ):
        # Which columns a writer lacks is known when all writers are: a shadow keeps who wrote.
        loader, shadow = site.loader(registry, marked=not straight), site.shadow(connection, table)
        goal = Straight(connection, shadow=shadow, schema=site.schema) if straight else shadow
        reached = dict(starts)
        with ThreadPoolExecutor(1, thread_name_prefix="put") as putting:
            under_way: _Put | None = None
            for batch, next_offsets in batches(site.reader(), topic, starts, ends):
                # Made ready while Postgres takes in the one before.
                load = loader.load(batch)
                if under_way is not None:
                    told(_end(under_way, loader, goal))
                under_way = _Put(
                    future=putting.submit(
                        goal.put, load, reached=dict(reached), next_offsets=next_offsets
                    ),
                    batch=batch,
                    reached=dict(reached),
                    next_offsets=next_offsets,
                )
                reached |= next_offsets
            if under_way is not None:
                told(_end(under_way, loader, goal))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Put:
    """A batch that Postgres takes in.

    Attributes:
        reached: where its partitions stood before.
        next_offsets: where they stand afterwards.
    """

    future: "Future[None]"
    batch: Batch
    reached: Mapping[int, int]
    next_offsets: Mapping[int, int]


def batches(
    reader: TopicReader, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]
) -> Iterator[tuple[Batch, dict[int, int]]]:
    """Stretches put together until they are worth a transaction."""
    fences = dict.fromkeys(places_of(topic, starts), 0)
    records: list[Record] = []
    reached: dict[int, int] = {}
    size = 0
    for stretch in reader.read(topic, starts=starts, ends=ends):
        records += stretch.records
        reached |= stretch.next_offsets
        size += sum(len(record.value() or "") for record in stretch.records)
        if size >= BATCH_BYTES_MAX:
            yield Batch(records=records, fences=fences), reached
            records, reached, size = [], {}, 0
    if reached:
        yield Batch(records=records, fences=fences), reached


def _end(put: _Put, loader: Loader, goal: Goal) -> int:
    """Wait until a batch is taken in; how many offsets it passed.

    Records that Postgres refuses are noted, and the rest go in.
    """
    try:
        put.future.result()
    except PostgresRefused as refused:
        if rule_of(refused.sqlstate).action is not Action.DEAD_LETTER:
            raise
        dead = _refused(loader, goal, put.batch)
        places = {place_of(one.record) for one in dead}
        rest = [record for record in put.batch.records if place_of(record) not in places]
        load = loader.load(replace(put.batch, records=rest))
        load = replace(load, batch=put.batch, dead=(*load.dead, *dead))
        goal.put(load, reached=put.reached, next_offsets=put.next_offsets)
    return sum(offset - put.reached[number] for number, offset in put.next_offsets.items())


def _refused(loader: Loader, goal: Goal, batch: Batch) -> list[Dead]:
    """The records of a batch that Postgres does not take, found by halving it."""
    refusal = goal.refusal(loader.load(batch))
    if refusal is None:
        return []
    if len(batch.records) == 1:
        stack = frames_of(refusal)
        return [Dead(record=batch.records[0], reason=refusal.sqlstate, stack=stack)]
    return [dead for half in batch.halves() for dead in _refused(loader, goal, half)]
