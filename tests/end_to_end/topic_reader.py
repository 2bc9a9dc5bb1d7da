"""A subscriber that knows nothing of stripeline: stock consumer, stock Avro deserializer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from tests.infrastructure import Infrastructure
from tests.stock_registry import (
    AvroDeserializer,
    MessageField,
    SchemaRegistryClient,
    SerializationContext,
)

REQUEST_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One record as a subscriber sees it."""

    key: str
    partition: int
    offset: int
    timestamp_milliseconds: int
    value: dict[str, Any]

    @property
    def event_at(self) -> datetime:
        """The record's `_event_at`."""
        found = self.value["_event_at"]
        assert isinstance(found, datetime)
        return found


def read_topic(infrastructure: Infrastructure, topic: str) -> list[Read]:
    """Every committed record of a topic up to its high watermark, in offset order."""
    with SchemaRegistryClient({"url": infrastructure.registry}) as registry:
        return _read_all(infrastructure, topic, AvroDeserializer(registry))


def _read_all(
    infrastructure: Infrastructure, topic: str, deserialize: AvroDeserializer
) -> list[Read]:
    consumer = Consumer(
        {
            "bootstrap.servers": infrastructure.kafka,
            "group.id": "nobody",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout=REQUEST_SECONDS_MAX).topics[topic]
        found: list[Read] = []
        for partition in partitions.partitions:
            _low, high = consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=REQUEST_SECONDS_MAX
            )
            consumer.assign([TopicPartition(topic, partition, 0)])
            while True:
                message = consumer.poll(REQUEST_SECONDS_MAX)
                assert message is not None, "the topic's end was not reached"
                if message.error() is None:
                    found.append(_read(deserialize, topic, message))
                (position,) = consumer.position([TopicPartition(topic, partition)])
                if high == 0 or position.offset >= high:
                    break
        return found
    finally:
        consumer.close()


def _read(deserialize: AvroDeserializer, topic: str, message: Any) -> Read:
    value = deserialize(message.value(), SerializationContext(topic, MessageField.VALUE))
    assert isinstance(value, dict)
    return Read(
        key=message.key().decode(),
        partition=message.partition(),
        offset=message.offset(),
        timestamp_milliseconds=message.timestamp()[1],
        value=value,
    )


def assert_strictly_increasing(records: list[Read]) -> None:
    """The promise to a subscriber: per key, `_event_at` strictly increases with the offset."""
    newest: dict[str, datetime] = {}
    for record in records:
        before = newest.get(record.key)
        assert before is None or record.event_at > before, record.key
        newest[record.key] = record.event_at
