"""A namespace of its own with an inbox, relays as processes, and a plain subscriber."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from schemas.topics import Names
from tests.end_to_end.services import Service, eventually, running
from tests.end_to_end.topic_reader import Read, read_topic
from tests.infrastructure import Infrastructure
from tests.relay.inbox_writer import InboxWriter, Sent

SETTLE_SECONDS_MAX = 60.0
REQUEST_SECONDS_MAX = 30.0


@dataclass(slots=True, kw_only=True)
class Installation:
    """Everything that a test of the relay needs, under one namespace."""

    infrastructure: Infrastructure
    namespace: str
    folder: Path
    partitions: int = 2
    objects: tuple[str, ...] = ("subscription",)
    inbox: InboxWriter = field(init=False)

    def __post_init__(self) -> None:
        self.inbox = InboxWriter(
            infrastructure=self.infrastructure,
            names=self.names,
            partitions=self.partitions,
            objects=self.objects,
        )

    @property
    def names(self) -> Names:
        """The names under the namespace."""
        return Names(namespace=self.namespace)

    def relay(self, instance: str = "a", **settings: str) -> Service:
        """A relay, not started yet."""
        return Service(
            "producer",
            "relay",
            environment={
                "KAFKA_BOOTSTRAP_SERVERS": self.infrastructure.kafka,
                "SCHEMA_REGISTRY_URL": self.infrastructure.registry,
                "KAFKA_NAMESPACE": self.namespace,
                "TOPIC_PARTITIONS": str(self.partitions),
                "OBJECTS": ",".join(self.objects),
                "RELAY_INSTANCE": instance,
                "RELAY_MEMORY_FOLDER": str(self.folder / "memory"),
                "STRIPE_API_KEY": "",
                **settings,
            },
            folder=self.folder,
            name=f"relay-{instance}",
        )

    @contextmanager
    def relaying(self, **settings: str) -> Iterator[Service]:
        """One relay at work."""
        relay = self.relay(**settings)
        with running(relay):
            yield relay

    def read(self, object_name: str = "subscription") -> list[Read]:
        """All committed records of an object topic, as a stock subscriber sees them."""
        return read_topic(self.infrastructure, self.names.object_topic(object_name))

    def last(self, object_name: str = "subscription") -> dict[str, dict[str, Any]]:
        """The last record of each key."""
        return {record.key: record.value for record in self.read(object_name)}

    def await_relayed(self, *, seconds_max: float = SETTLE_SECONDS_MAX) -> None:
        """Wait until the committed offsets have reached the end of the inbox."""
        eventually(self._relayed, seconds_max=seconds_max, what="the inbox is relayed")

    def _relayed(self) -> bool:
        consumer = Consumer(
            {
                "bootstrap.servers": self.infrastructure.kafka,
                "group.id": self.names.relay_group,
                "isolation.level": "read_committed",
            }
        )
        try:
            places = [TopicPartition(self.names.inbox, p) for p in range(self.partitions)]
            for place in consumer.committed(places, REQUEST_SECONDS_MAX):
                _low, high = consumer.get_watermark_offsets(place, timeout=REQUEST_SECONDS_MAX)
                # The end of a transaction over the inbox takes an offset that nobody reads.
                if high and place.offset < high - 1:
                    return False
                if high and place.offset < high and not self._ends_with_marker(place.partition):
                    return False
            return True
        finally:
            consumer.close()

    def _ends_with_marker(self, partition: int) -> bool:
        consumer = Consumer(
            {
                "bootstrap.servers": self.infrastructure.kafka,
                "group.id": "nobody",
                "enable.partition.eof": True,
                "enable.auto.commit": False,
            }
        )
        try:
            place = TopicPartition(self.names.inbox, partition)
            _low, high = consumer.get_watermark_offsets(place, timeout=REQUEST_SECONDS_MAX)
            consumer.assign([TopicPartition(self.names.inbox, partition, high - 1)])
            message = consumer.poll(REQUEST_SECONDS_MAX)
            return message is not None and message.error() is not None
        finally:
            consumer.close()


def await_metric(relay: Service, metric: str, at_least: float) -> None:
    """Wait until the relay has counted so much; it counts a little after the commit."""
    eventually(
        lambda: relay.metric(metric) >= at_least,
        seconds_max=SETTLE_SECONDS_MAX,
        what=f"{metric} is {at_least}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """An installation whose relay is at work, shared by tests that touch different objects."""

    installation: Installation
    relay: Service

    def send(self, *records: Sent) -> None:
        """Write records to the inbox and wait until they are relayed."""
        self.installation.inbox.send(*records)
        self.installation.await_relayed()

    def records(self, key: str, object_name: str = "subscription") -> list[dict[str, Any]]:
        """All that a subscriber reads of one object."""
        return [read.value for read in self.installation.read(object_name) if read.key == key]

    @contextmanager
    def counting(self, metric: str, *, by: float) -> Iterator[None]:
        """Expect the block to raise a counter of the relay by this much."""
        before = self.relay.metric(metric)
        yield
        await_metric(self.relay, metric, before + by)
        assert self.relay.metric(metric) == before + by
