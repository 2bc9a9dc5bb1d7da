"""The relay's speed, from inbox to topic, beside a producer that only writes the same bytes.

First come new objects, each with two items that become records of their own (`relay_new`), then
changes of these objects which leave their items as they are (`relay`).
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.figures import Figure
from bench.machine import cpu_seconds
from bench.stripe_bodies import subscription_event
from producer.kafka_relay_producer import producer_properties
from runtime.metrics import RELAY_CONSUMED
from schemas.inbox import Envelope, Kind, Source
from tests.end_to_end.services import Service, running
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.relay.inbox_writer import Sent
from tests.relay.installation import Installation

EVENTS = 100_000
OBJECTS = 10_000
WARM_UP_EVENTS = 4_000
RECORDS_OF_NEW = 3
"""A subscription and its two items."""
PARTITIONS = 2
BATCH_RECORDS = 2_000
REQUEST_SECONDS_MAX = 30.0
SAMPLE_SECONDS = 0.25
SECONDS_MAX = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A process at one moment."""

    events: float
    cpu_seconds: float
    seconds: float


def run(infrastructure: Infrastructure) -> list[Figure]:
    """The inbox is filled first, so that the relay is never short of events."""
    with (
        fresh_namespace(infrastructure) as namespace,
        tempfile.TemporaryDirectory() as folder,
    ):
        installation = Installation(
            infrastructure=infrastructure,
            namespace=namespace,
            folder=Path(folder),
            partitions=PARTITIONS,
        )
        body_bytes = _fill(installation)
        names = installation.names
        _make_topic_beside(installation)
        before = _raw(installation, names.inbox)
        relay = installation.relay(RELAY_BATCH_RECORDS_MAX=str(BATCH_RECORDS))
        with running(relay):
            new, known = _watched(relay)
        # The machine's speed swings: half of it before the relay, half after.
        raw_events = _together(before, _raw(installation, names.inbox))
        raw_records = _raw(installation, names.object_topic("subscription"))
        details = {"event_bytes": body_bytes}
        return [
            _figure("relay", known, raw_events, details),
            _figure("relay_new", new, raw_events, {"records_per_event": RECORDS_OF_NEW}),
            _raw_figure("relay_raw_events", raw_events),
            _raw_figure("relay_raw_records", raw_records),
        ]


def _figure(
    name: str, span: tuple[Sample, Sample], raw: Sample, more: Mapping[str, float]
) -> Figure:
    start, end = span
    events, seconds = end.events - start.events, end.seconds - start.seconds
    cpu_used = end.cpu_seconds - start.cpu_seconds
    return Figure(
        name=name,
        per_second=events / seconds,
        ratio=events / seconds / raw.events,
        details={
            "per_cpu_second": round(events / cpu_used),
            "cores": round(cpu_used / seconds, 2),
            **more,
        },
    )


def _raw_figure(name: str, raw: Sample) -> Figure:
    details = {"per_cpu_second": round(raw.events / raw.cpu_seconds)}
    return Figure(name=name, per_second=raw.events, details=details)


def _beside(installation: Installation) -> str:
    """The topic of the producer that is measured beside the relay."""
    return f"{installation.namespace}-beside"


def _make_topic_beside(installation: Installation) -> None:
    admin = AdminClient({"bootstrap.servers": installation.infrastructure.kafka})
    made = admin.create_topics([NewTopic(_beside(installation), PARTITIONS, 1)])
    made[_beside(installation)].result(REQUEST_SECONDS_MAX)


def _together(one: Sample, other: Sample) -> Sample:
    seconds = one.seconds + other.seconds
    return Sample(
        events=2 * EVENTS / seconds,
        cpu_seconds=(one.cpu_seconds * one.seconds + other.cpu_seconds * other.seconds) / seconds,
        seconds=seconds,
    )


def _fill(installation: Installation) -> int:
    """Put the events into the inbox; the mean size of one."""
    sizes = []

    def told() -> Iterator[Sent]:
        for number in range(EVENTS):
            key, body = subscription_event(number, second=number // OBJECTS, objects=OBJECTS)
            sizes.append(len(body))
            envelope = Envelope(
                kind=Kind.EVENT, source=Source.WEBHOOK, received_at=time.time_ns() // 1_000
            )
            yield Sent(key=key, value=body, envelope=envelope)

    installation.inbox.send_all(told())
    return sum(sizes) // len(sizes)


def _watched(relay: Service) -> tuple[tuple[Sample, Sample], tuple[Sample, Sample]]:
    """First and last sample while objects were new, and after each had been seen."""
    samples: list[Sample] = []
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        seen = Sample(
            events=relay.metric(RELAY_CONSUMED.name),
            cpu_seconds=cpu_seconds(relay.process_id),
            seconds=time.monotonic(),
        )
        if seen.events >= WARM_UP_EVENTS:
            samples.append(seen)
        if seen.events >= EVENTS:
            new = [sample for sample in samples if sample.events <= OBJECTS]
            known = [sample for sample in samples if sample.events >= OBJECTS]
            assert len(new) > 1, "the relay was too fast for the samples: raise OBJECTS"
            return (new[0], new[-1]), (known[0], known[-1])
        time.sleep(SAMPLE_SECONDS)
    raise AssertionError("the relay did not relay everything in time")


def _raw(installation: Installation, source: str) -> Sample:
    """Records a second, and the cores it took, of a producer that only writes.

    Args:
        installation: where.
        source: the topic whose records it writes: the inbox has the events that the relay read,
            the object topic the smaller records that it made of them.
    """
    records = _records_of(installation, source)
    assert len(records) == EVENTS
    producer = Producer(
        {
            "bootstrap.servers": installation.infrastructure.kafka,
            **producer_properties("raw"),
            "transactional.id": f"{installation.namespace}-raw",
        }
    )
    topic = _beside(installation)
    producer.init_transactions(30)
    seconds, cpu = time.monotonic(), time.process_time()
    for first in range(0, len(records), BATCH_RECORDS):
        producer.begin_transaction()
        for record in records[first : first + BATCH_RECORDS]:
            producer.produce(topic, record.value(), record.key(), headers=record.headers())
        producer.commit_transaction(30)
    seconds, cpu = time.monotonic() - seconds, time.process_time() - cpu
    return Sample(events=len(records) / seconds, cpu_seconds=cpu / seconds, seconds=seconds)


def _records_of(installation: Installation, topic: str) -> list[Message]:
    consumer = Consumer(
        {
            "bootstrap.servers": installation.infrastructure.kafka,
            "group.id": "bench",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: list[Message] = []
    ends = 0
    while ends < PARTITIONS:
        for message in consumer.consume(10_000, 1.0):
            if message.error() is None:
                found.append(message)
            else:
                ends += 1
    consumer.close()
    return found
