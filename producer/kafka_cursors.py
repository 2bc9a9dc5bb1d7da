"""Where polling and backfill stand: small JSON values in one compacted topic, newest per key."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from producer.errors import KafkaUnreachable
from runtime.kafka_offsets import asked_of_leaders

ANSWER_SECONDS_MAX: Final = 30.0
POLL_SECONDS: Final = 0.1
READ_RECORDS_MAX: Final = 1_000


class Cursors:
    """Reads and writes cursors; any thread may call it.

    **Invariant:** a cursor is a promise that everything before it is in the inbox, so it is put
    only after `InboxWriter.flush`. One that was lost is harmless: what it stood for is read again.
    """

    def __init__(
        self,
        *,
        kafka: Mapping[str, str | int | float | bool],
        topic: str,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        """Make the producer; it connects by itself, and again after an outage.

        Args:
            kafka: the librdkafka properties that say how the brokers are reached.
            topic: of the cursors; it must exist.
            answer_seconds_max: how long Kafka may take for one reading step or one `put`.
        """
        self._kafka = dict(kafka)
        self._topic = topic
        self._answer_seconds_max = answer_seconds_max
        self._making = threading.Lock()
        self._producer: Producer | None = None

    def read(self) -> dict[str, dict[str, Any]]:
        """The newest value of each key, up to the end that the topic has now.

        Raises:
            KafkaUnreachable: the end is not reached in time.
        """
        consumer = Consumer(self._consumer_properties(), logger=logging.getLogger("kafka"))
        try:
            return self._read(consumer)
        except KafkaException as error:
            raise KafkaUnreachable(f"Kafka does not show the topic {self._topic}.") from error
        finally:
            consumer.close()

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Store the newest value of a key; it is durable when this returns.

        Raises:
            KafkaUnreachable: Kafka did not acknowledge it; it may be stored all the same.
        """
        producer = self._current_producer()
        delivery = _Delivery()
        try:
            producer.produce(
                self._topic, orjson.dumps(dict(value)), key, on_delivery=delivery.settle
            )
            # Another thread's call may be the one that settles this delivery.
            while not delivery.settled.is_set():
                producer.poll(POLL_SECONDS)
        except (BufferError, KafkaException) as error:
            raise self._not_stored(producer) from error
        if delivery.error is not None:
            raise self._not_stored(producer) from KafkaException(delivery.error)

    def close(self) -> None:
        """Let the connection go; nothing waits, because `put` has waited."""
        with self._making:
            self._producer = None

    def _read(self, consumer: Consumer) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        ends = self._ends(consumer)
        consumer.assign([TopicPartition(self._topic, at, OFFSET_BEGINNING) for at in ends])
        left = set(ends)
        deadline = time.monotonic() + self._answer_seconds_max
        while left:
            messages = consumer.consume(READ_RECORDS_MAX, POLL_SECONDS)
            for message in messages:
                _take(message, found)
            # Compaction leaves holes: only the position says that the end is reached.
            left = {
                place.partition
                for place in _positions(consumer, self._topic, left)
                if place.offset < ends[place.partition]
            }
            if messages:
                deadline = time.monotonic() + self._answer_seconds_max
            elif time.monotonic() > deadline:
                raise KafkaUnreachable(f"The end of the topic {self._topic} is not reached.")
        return found

    def _ends(self, consumer: Consumer) -> dict[int, int]:
        """The high watermark of each partition that is not empty."""
        return asked_of_leaders(
            lambda: self._ends_now(consumer), seconds_max=self._answer_seconds_max
        )

    def _ends_now(self, consumer: Consumer) -> dict[int, int]:
        listed = consumer.list_topics(self._topic, timeout=self._answer_seconds_max)
        topic = listed.topics[self._topic]
        if topic.error is not None:
            # Without its partitions it would look empty, as if nothing had ever been stored.
            raise KafkaException(topic.error)
        ends = {}
        for partition in topic.partitions:
            place = TopicPartition(self._topic, partition)
            watermarks = consumer.get_watermark_offsets(place, timeout=self._answer_seconds_max)
            if watermarks is None:
                raise KafkaUnreachable(f"Kafka does not tell the end of {self._topic}.")
            low, high = watermarks
            if high > low:
                ends[partition] = high
        return ends

    def _current_producer(self) -> Producer:
        with self._making:
            if self._producer is None:
                self._producer = Producer(
                    self._producer_properties(), logger=logging.getLogger("kafka")
                )
            return self._producer

    def _not_stored(self, producer: Producer) -> KafkaUnreachable:
        """Throw the producer away, whose state is unknown; the next `put` makes another."""
        with self._making:
            if self._producer is producer:
                self._producer = None
        return KafkaUnreachable(f"Kafka did not acknowledge a cursor in {self._topic}.")

    def _producer_properties(self) -> dict[str, Any]:
        return {
            **self._kafka,
            # A cursor that was put must outlive any one broker, and never go back.
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            # Whoever puts a cursor waits for it.
            "linger.ms": 0,
            "message.timeout.ms": int(self._answer_seconds_max * 1_000),
            "reconnect.backoff.max.ms": 1_000,
            "socket.keepalive.enable": True,
        }

    def _consumer_properties(self) -> dict[str, Any]:
        return {
            **self._kafka,
            # The library asks for a name; the group is never joined and nothing is committed.
            "group.id": f"{self._topic}-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }


class _Delivery:
    """What became of one record."""

    __slots__ = ("error", "settled")

    def __init__(self) -> None:
        self.settled = threading.Event()
        self.error: KafkaError | None = None

    def settle(self, error: KafkaError | None, _record: Message) -> None:
        """What librdkafka calls, from within `poll`."""
        self.error = error
        self.settled.set()


def _take(message: Message, found: dict[str, dict[str, Any]]) -> None:
    """Let a record replace what was known of its key."""
    if message.error() is not None:
        # The end of a partition, or an outage that the deadline ends.
        return
    key, value = message.key(), message.value()
    assert key is not None
    if value is None:
        # An operator's way to have a cursor forgotten.
        found.pop(key.decode(), None)
    else:
        found[key.decode()] = orjson.loads(value)


def _positions(consumer: Consumer, topic: str, partitions: set[int]) -> Sequence[TopicPartition]:
    return consumer.position([TopicPartition(topic, partition) for partition in partitions])
