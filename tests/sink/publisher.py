"""Publishes changes on object topics, as the relay does: framed, keyed, in transactions."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.codec import RecordCodec, frame
from schemas.registry import Registry
from schemas.topics import Names
from tests.infrastructure import Infrastructure

REQUEST_SECONDS_MAX = 30.0
PARTITIONS = 2
PARTITION_UA = -1
"""The client's word for: by the key."""


class Publisher:
    """A transactional producer in one namespace."""

    def __init__(self, infrastructure: Infrastructure, *, namespace: str) -> None:
        self.names = Names(namespace=namespace)
        self._admin = AdminClient({"bootstrap.servers": infrastructure.kafka})
        self._kafka = infrastructure.kafka
        self._registry = Registry(infrastructure.registry)
        self._codecs: dict[int, RecordCodec] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": infrastructure.kafka,
                "partitioner": "murmur2_random",
                "transactional.id": f"{namespace}-{secrets.token_hex(4)}",
                "linger.ms": 0,
            }
        )
        self._producer.init_transactions(REQUEST_SECONDS_MAX)

    def close(self) -> None:
        """Give the connections back."""
        self._registry.close()

    def make_topic(self, topic: str, *, partitions: int = PARTITIONS) -> None:
        """Make a topic."""
        # Records may be of any time: they stay, as in the topics of a relay.
        kept = {"retention.ms": "-1"}
        made = self._admin.create_topics([NewTopic(topic, partitions, 1, config=kept)])
        made[topic].result(REQUEST_SECONDS_MAX)

    def register(self, object_name: str, schema: Mapping[str, Any]) -> int:
        """The id of a schema for an object's topic."""
        topic = self.names.object_topic(object_name)
        schema_id = self._registry.register(self.names.subject(topic), schema)
        self._codecs[schema_id] = RecordCodec(schema)
        return schema_id

    def publish(
        self,
        object_name: str,
        schema_id: int,
        changes: Iterable[Mapping[str, Any]],
        *,
        partition: int | None = None,
    ) -> None:
        """Publish changes in one transaction; into one partition, or each by its key."""
        codec = self._codecs[schema_id]
        self.publish_values(
            object_name,
            [(str(one["id"]), frame(schema_id, codec.encode(one))) for one in changes],
            partition=partition,
        )

    def publish_at(
        self, object_name: str, schema_id: int, changes: Iterable[Mapping[str, Any]], *, at: int
    ) -> None:
        """Publish changes in one transaction, as records of a time in microseconds."""
        codec = self._codecs[schema_id]
        self.publish_values(
            object_name,
            [(str(one["id"]), frame(schema_id, codec.encode(one))) for one in changes],
            milliseconds=at // 1_000,
        )

    def publish_values(
        self,
        object_name: str,
        values: Iterable[tuple[str, bytes]],
        *,
        milliseconds: int = 0,
        partition: int | None = None,
    ) -> None:
        """Publish keys and values as they are in one transaction; 0 is the present."""
        topic = self.names.object_topic(object_name)
        self._producer.begin_transaction()
        for key, value in values:
            self._producer.produce(
                topic,
                key=key,
                value=value,
                headers=[("origin", b"test")],
                timestamp=milliseconds,
                partition=PARTITION_UA if partition is None else partition,
            )
        self._producer.commit_transaction(REQUEST_SECONDS_MAX)

    def dead_letters(self) -> list[tuple[str, bytes, dict[str, bytes]]]:
        """Key, value and headers of every dead letter."""
        return self.records(self.names.dead_letters)

    def records(self, topic: str) -> list[tuple[str, bytes, dict[str, bytes]]]:
        """Key, value and headers of every record of a topic of one partition."""
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": "none"})
        try:
            partition = TopicPartition(topic, 0, 0)
            _low, high = consumer.get_watermark_offsets(partition, timeout=REQUEST_SECONDS_MAX)
            consumer.assign([partition])
            found: list[tuple[str, bytes, dict[str, bytes]]] = []
            while len(found) < high:
                message = consumer.poll(REQUEST_SECONDS_MAX)
                assert message is not None
                assert message.error() is None
                key, value, headers = message.key(), message.value(), message.headers()
                assert isinstance(key, bytes)
                assert isinstance(value, bytes)
                assert isinstance(headers, list)
                told = {name: data for name, data in headers if isinstance(data, bytes)}
                found.append((key.decode(), value, told))
            return found
        finally:
            consumer.close()

    def committed(self, object_name: str, *, partitions: int = PARTITIONS) -> int:
        """The sum of the offsets that the sink's group has committed in Kafka."""
        consumer = Consumer({"bootstrap.servers": self._kafka, "group.id": self.names.sink_group})
        try:
            topic = self.names.object_topic(object_name)
            told = consumer.committed(
                [TopicPartition(topic, number) for number in range(partitions)],
                timeout=REQUEST_SECONDS_MAX,
            )
            return sum(max(0, one.offset) for one in told)
        finally:
            consumer.close()
