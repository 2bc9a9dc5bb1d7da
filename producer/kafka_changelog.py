"""The object topics read back: what restores the memory, and single records by their offset."""

import concurrent.futures
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from producer.errors import KafkaUnreachable
from runtime.kafka_offsets import EARLIEST, LATEST, listed_offsets

CALL_SECONDS_MAX: Final = 10.0
READ_RECORDS_MAX: Final = 5_000
READ_SECONDS: Final = 0.2
READ_ON_RECORDS_MAX: Final = 1_000
"""Between two records that are wanted: reading over so many is quicker than a new beginning."""
QUIET_READS_MAX: Final = 150
"""Reads in a row that bring nothing; by then every transaction of a dead relay has timed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEnd:
    """Where an object topic's partition ends, transactions that are still open included."""

    topic_id: str
    low_offset: int
    high_watermark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord:
    """A record as it stands in a topic."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes | str | None]]
    offset: int

    @property
    def next_offset(self) -> int:
        """Where to read on."""
        return self.offset + 1


class Changelog:
    """Reads the object topics of one installation, and single inbox records."""

    def __init__(
        self, *, kafka: Mapping[str, str | int | float | bool], pattern: str, group: str
    ) -> None:
        """Remember how the brokers are reached.

        Args:
            kafka: the librdkafka properties that say so.
            pattern: regular expression of the object topics' names.
            group: a name for the brokers' logs; nothing is committed.
        """
        self._kafka = dict(kafka)
        self._pattern = re.compile(pattern)
        self._group = group
        self._admin = AdminClient({**kafka, "log_level": 0})

    def ends(self, partition: int) -> dict[str, TopicEnd]:
        """The end of that partition of every object topic that is not empty there.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        try:
            listed = self._admin.list_topics(timeout=CALL_SECONDS_MAX).topics
            topics = [name for name in listed if self._pattern.match(name)]
            if not topics:
                return {}
            ids = self._topic_ids(topics)
            low = self._offsets(topics, partition, EARLIEST)
            high = self._offsets(topics, partition, LATEST)
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise KafkaUnreachable("Kafka does not tell the object topics' ends.") from error
        return {
            topic: TopicEnd(topic_id=ids[topic], low_offset=low[topic], high_watermark=high[topic])
            for topic in topics
            if high[topic] > low[topic]
        }

    def read(
        self, partition: int, *, start: Mapping[str, int], ends: Mapping[str, TopicEnd]
    ) -> Iterator[tuple[list[StoredRecord], dict[str, int]]]:
        """Committed records from `start` up to `ends`, batch by batch.

        Yields:
            records, and the next offset of each topic that moved. An empty batch says that it
            still waits, so that the caller can look after other things.

        Raises:
            KafkaUnreachable: an end is not reached in time.
        """
        consumer = Consumer(self._consumer_properties(), logger=logging.getLogger("kafka"))
        try:
            consumer.assign(
                [
                    TopicPartition(topic, partition, offset or OFFSET_BEGINNING)
                    for topic, offset in start.items()
                ]
            )
            left = set(start)
            quiet = 0
            while left:
                records, moved = _batch(consumer.consume(READ_RECORDS_MAX, READ_SECONDS))
                # Offsets have gaps: a transaction's end takes one, and compaction leaves holes.
                # Only the position says that the end is reached.
                left -= {t for t, offset in moved.items() if offset >= ends[t].high_watermark}
                quiet = 0 if moved else quiet + 1
                if quiet > QUIET_READS_MAX:
                    raise KafkaUnreachable(
                        "The end of an object topic is not reached: a transaction over it stays "
                        "open, or its leader is away."
                    )
                yield records, moved
        finally:
            consumer.close()

    def record_at(self, topic: str, partition: int, offset: int) -> StoredRecord | None:
        """One record by its place; none if it is not there any more.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        return self.records_at(topic, partition, [offset]).get(offset)

    def records_at(
        self, topic: str, partition: int, offsets: Iterable[int]
    ) -> dict[int, StoredRecord]:
        """Records of one partition by their places; without those that are not there any more.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        found: dict[int, StoredRecord] = {}
        consumer = Consumer(self._consumer_properties(), logger=logging.getLogger("kafka"))
        try:
            position: int | None = None
            for offset in sorted(offsets):
                if position is None or not 0 <= offset - position <= READ_ON_RECORDS_MAX:
                    consumer.assign([TopicPartition(topic, partition, offset)])
                message = self._first_from(consumer, offset)
                if message is None:
                    position = None
                    continue
                record = stored(message)
                position = record.next_offset
                if record.offset == offset:
                    found[offset] = record
        finally:
            consumer.close()
        return found

    def _first_from(self, consumer: Consumer, offset: int) -> Message | None:
        """The first record that is at an offset or behind it; none if the partition ends before.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        quiet = 0
        while quiet <= QUIET_READS_MAX:
            message = consumer.poll(READ_SECONDS)
            error = None if message is None else message.error()
            if message is None or error is not None:
                if error is not None and error.code() in _NOTHING_THERE:
                    return None
                quiet += 1
            elif (message.offset() or 0) >= offset:
                return message
        raise KafkaUnreachable(f"Kafka does not show the record at {offset}.")

    def topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        """The cluster's id of each topic; one that was made anew has another.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        try:
            return self._topic_ids(topics)
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise KafkaUnreachable("Kafka does not tell the object topics' ids.") from error

    def _topic_ids(self, topics: Sequence[str]) -> dict[str, str]:
        answers = self._admin.describe_topics(
            TopicCollection(list(topics)), request_timeout=CALL_SECONDS_MAX
        )
        return {
            topic: str(answer.result(CALL_SECONDS_MAX).topic_id)
            for topic, answer in answers.items()
        }

    def _offsets(
        self, topics: Sequence[str], partition: int, specification: OffsetSpec
    ) -> dict[str, int]:
        wanted = {TopicPartition(topic, partition): specification for topic in topics}
        found = listed_offsets(self._admin, wanted, seconds_max=CALL_SECONDS_MAX)
        return {place.topic: offset for place, offset in found.items()}

    def _consumer_properties(self) -> dict[str, Any]:
        return {
            **self._kafka,
            "group.id": self._group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }


def stored(message: Message) -> StoredRecord:
    """A message as what it holds."""
    topic, offset = message.topic(), message.offset()
    assert topic is not None
    assert offset is not None
    headers = message.headers() or []
    return StoredRecord(
        topic=topic,
        key=message.key() or b"",
        value=message.value() or b"",
        headers=list(headers.items()) if isinstance(headers, dict) else headers,
        offset=offset,
    )


_NOTHING_THERE: Final = (KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET)


def _batch(messages: Sequence[Message]) -> tuple[list[StoredRecord], dict[str, int]]:
    records = []
    moved: dict[str, int] = {}
    for message in messages:
        error = message.error()
        topic, offset = message.topic(), message.offset()
        assert topic is not None
        if error is None:
            record = stored(message)
            records.append(record)
            moved[topic] = record.next_offset
        elif error.code() == KafkaError._PARTITION_EOF and offset is not None:
            moved[topic] = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise KafkaUnreachable(f"The topic {topic} does not reach back to where it was read.")
    return records, moved
