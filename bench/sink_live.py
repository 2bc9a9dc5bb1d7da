"""The sink's speed: subscriptions upserted from Kafka, beside what Postgres does by itself.

The limit is `psql`: COPY of the same rows from a file into a temporary table, then one guarded
insert-select into a table of the same shape; nothing is decoded, deduplicated or recorded.
"""

import json
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.figures import Figure
from bench.machine import cpu_seconds, cpu_seconds_of
from schemas.codec import BatchCodec, frame
from schemas.objects import load_catalogue
from schemas.registry import Registry
from schemas.topics import Names
from tests.end_to_end.services import Service
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace

IDS = 100_000
PARTITIONS = 4
SECONDS_MAX = 300.0
AT_ONCE = 5_000
EPOCH = 1_750_000_000_000_000
SEED = 7
UPSERT_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How one side did one round; processor time is microseconds a row."""

    per_second: float
    postgres_cpu_micros: float
    client_cpu_micros: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Both sides writing the same rows."""

    ours: Seen
    limit: Seen
    record_bytes: int


def run(infrastructure: Infrastructure) -> list[Figure]:
    """First all rows new, then each of them changed; both sides after each other."""
    with (
        fresh_namespace(infrastructure) as namespace,
        fresh_database(infrastructure) as database_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(
            infrastructure, namespace=namespace, database_url=database_url, folder=Path(folder)
        )
        rounds = [bench.round(number) for number in range(1 + UPSERT_ROUNDS)]
    # The figure that has a target comes first.
    return [_figure("sink_live", rounds[1:]), _figure("sink_live_inserts", rounds[:1])]


def _figure(name: str, rounds: "list[Round]") -> Figure:
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
            "record_bytes": rounds[0].record_bytes,
        },
    )


class Bench:
    """One namespace and one database, filled round by round."""

    def __init__(
        self,
        infrastructure: Infrastructure,
        *,
        namespace: str,
        database_url: str,
        folder: Path,
        ids: int = IDS,
    ) -> None:
        self._ids = ids
        self._infrastructure = infrastructure
        self._names = Names(namespace=namespace)
        self._topic = self._names.object_topic("subscription")
        self._database_url = database_url
        self._folder = folder
        self._published = 0
        admin = AdminClient({"bootstrap.servers": infrastructure.kafka})
        admin.create_topics([NewTopic(self._topic, PARTITIONS, 1)])[self._topic].result()
        self._schema = load_catalogue().get("subscription").schema
        registry = Registry(infrastructure.registry)
        self._schema_id = registry.register(self._names.subject(self._topic), self._schema)
        registry.close()

    def round(self, number: int) -> Round:
        """Change every object once, and let both sides write it."""
        record_bytes = self.publish(number)
        return Round(ours=self.sink_round(), limit=self.psql_round(), record_bytes=record_bytes)

    def publish(self, number: int) -> int:
        """One change of each object, in random order; the mean size of a record."""
        producer = Producer(
            {
                "bootstrap.servers": self._infrastructure.kafka,
                "partitioner": "murmur2_random",
                "linger.ms": 50,
                "queue.buffering.max.messages": self._ids,
            }
        )
        codec = BatchCodec(self._schema)
        order = list(range(self._ids))
        random.Random(SEED + number).shuffle(order)
        size = 0
        for first in range(0, self._ids, AT_ONCE):
            ids = order[first : first + AT_ONCE]
            columns = subscriptions(ids, number=number)
            for key, body in zip(columns["id"], codec.encode(columns, len(ids)), strict=True):
                value = frame(self._schema_id, body)
                size += len(value)
                producer.produce(self._topic, key=key, value=value)
            producer.poll(0)
        producer.flush()
        self._published += self._ids
        return size // self._ids

    def sink_round(self) -> Seen:
        """Let a sink catch up; timed from its first committed batch to its last."""
        service = Service(
            "sink",
            "run",
            environment={
                "KAFKA_BOOTSTRAP_SERVERS": self._infrastructure.kafka,
                "SCHEMA_REGISTRY_URL": self._infrastructure.registry,
                "DATABASE_URL": self._database_url,
                "KAFKA_NAMESPACE": self._names.namespace,
            },
            folder=self._folder,
            name=f"sink{self._published}",
        )
        with psycopg.connect(self._database_url, autocommit=True) as watcher:
            begun_with = self._written(watcher)
            service.launch()
            try:
                while (first := self._written(watcher)) == begun_with:
                    time.sleep(0.005)
                began, sink_began = time.monotonic(), cpu_seconds(service.process_id)
                backend = self._backend(watcher)
                postgres_began = cpu_seconds(backend)
                while (last := self._written(watcher)) < self._published:
                    assert time.monotonic() - began < SECONDS_MAX, service.log()
                    time.sleep(0.02)
                seconds, rows = time.monotonic() - began, last - first
                return Seen(
                    per_second=rows / seconds,
                    client_cpu_micros=(cpu_seconds(service.process_id) - sink_began) / rows * 1e6,
                    postgres_cpu_micros=(cpu_seconds(backend) - postgres_began) / rows * 1e6,
                )
            finally:
                service.close()

    def psql_round(self) -> Seen:
        """The same rows by `psql`, into a table of the same shape."""
        file, columns = self.dumped()
        return self.timed_psql(_guarded_load(file, columns))

    def dumped(self) -> tuple[Path, list[str]]:
        """The rows as text in a file, with their columns; an empty table of the shape beside."""
        file = self._folder / "rows.copy"
        with psycopg.connect(self._database_url, autocommit=True) as connection:
            connection.execute("create schema if not exists beside")
            connection.execute(
                "create table if not exists beside.subscription "
                "(like stripe.subscription including all)"
            )
            columns = [
                row[0]
                for row in connection.execute(
                    "select attname::text from pg_attribute where attnum > 0 "
                    "and attgenerated = '' and attrelid = 'stripe.subscription'::regclass "
                    "order by attnum"
                )
            ]
            listed = ", ".join(f'"{column}"' for column in columns)
            with (
                connection.cursor().copy(
                    f"copy (select {listed} from stripe.subscription) to stdout"
                ) as rows,
                file.open("wb") as out,
            ):
                for piece in rows:
                    out.write(piece)
        return file, columns

    def timed_psql(self, script: str) -> Seen:
        psql = shutil.which("psql")
        assert psql is not None, "the limit is measured with psql; install postgresql-client"
        began = time.monotonic()
        told = subprocess.run(
            [psql, "--no-psqlrc", "--quiet", "-At", "-v", "ON_ERROR_STOP=1", self._database_url],
            input=script,
            text=True,
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        seconds = time.monotonic() - began
        return Seen(
            per_second=self._ids / seconds,
            postgres_cpu_micros=cpu_seconds_of(told) / self._ids * 1e6,
        )

    def _written(self, watcher: "psycopg.Connection[Any]") -> int:
        try:
            row = watcher.execute(
                "select coalesce(sum(next_offset), 0) from stripeline.partition_offset"
            ).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
        assert row is not None
        return int(row[0])

    def _backend(self, watcher: "psycopg.Connection[Any]") -> int:
        row = watcher.execute(
            "select pid from pg_stat_activity where application_name = 'stripeline sink' "
            "and datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])


def _guarded_load(file: Path, columns: list[str]) -> str:
    listed = ", ".join(f'"{column}"' for column in columns)
    changed = ", ".join(f'"{column}" = excluded."{column}"' for column in columns[1:])
    return f"""
        set jit to off;
        begin;
        create temporary table staged (like beside.subscription) on commit drop;
        \\copy staged ({listed}) from '{file}'
        insert into beside.subscription as mine ({listed}) select {listed} from staged
        on conflict (id) do update set {changed}
        where excluded._event_at > mine._event_at;
        commit;
        select pg_backend_pid() as pid \\gset
        \\setenv POSTGRES_PID :pid
        \\! cat /proc/$POSTGRES_PID/stat
    """


def subscriptions(numbers: list[int], *, number: int) -> dict[str, list[Any]]:
    """Columns of subscriptions, about 1.5 KB each, in their version `number`."""
    at = EPOCH + number * 1_000_000
    items = json.dumps(
        {
            "object": "list",
            "data": [
                {
                    "id": "si_000000000000",
                    "object": "subscription_item",
                    "metadata": {},
                    "price": {"id": "price_1Nn", "unit_amount": 1900, "currency": "eur"},
                    "quantity": 1 + number,
                    "note": "x" * 620,
                }
            ],
            "has_more": False,
        }
    )
    count = len(numbers)

    def same(value: object) -> list[object]:
        return [value] * count

    return {
        "id": [f"sub_1{one:023}" for one in numbers],
        "object": same("subscription"),
        "customer_id": [f"cus_{one // 2:014}" for one in numbers],
        "default_payment_method_id": [f"pm_{one:024}" for one in numbers],
        "latest_invoice_id": [f"in_{number}{one:023}" for one in numbers],
        "status": same("trialing" if number == 0 else "active"),
        "currency": same("eur"),
        "collection_method": same("charge_automatically"),
        "cancel_at_period_end": same(value=False),
        "livemode": same(value=True),
        "billing_cycle_anchor": same(EPOCH),
        "created": same(EPOCH),
        "start_date": same(EPOCH),
        "trial_start": same(EPOCH),
        "trial_end": same(EPOCH + 14 * 86_400_000_000),
        "current_period_start": same(EPOCH),
        "current_period_end": same(at + 30 * 86_400_000_000),
        "application_fee_percent": same(2.5),
        "metadata": [json.dumps({"order_id": str(one), "platform": "web"}) for one in numbers],
        "items": same(items),
        "automatic_tax": same('{"enabled": false, "liability": null}'),
        "payment_settings": same('{"save_default_payment_method": "off"}'),
        "trial_settings": same('{"end_behavior": {"missing_payment_method": "cancel"}}'),
        "discounts": same("[]"),
        "default_tax_rates": same("[]"),
        "_event_at": same(at),
        "_event_id": [f"evt_{number}{one:023}" for one in numbers],
        "_event_type": same("customer.subscription.updated"),
        "_operation": same("updated"),
        "_source": same("webhook"),
        "_api_version": same("2026-07-29.dahlia"),
        "_received_at": same(at),
        "_previous": same(json.dumps({"quantity": number, "note": "y" * 120})),
    }
