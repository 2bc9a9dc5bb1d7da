"""One object topic at a time, all its partitions side by side, up to where it ends now."""

import concurrent.futures
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from producer.errors import KafkaUnreachable
from producer.kafka_changelog import StoredRecord, stored
from runtime.kafka_offsets import EARLIEST, LATEST, listed_offsets

CALL_SECONDS_MAX: Final = 10.0
READ_RECORDS_MAX: Final = 2_000
READ_SECONDS: Final = 0.2
QUIET_READS_MAX: Final = 150
"""Reads in a row that bring nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionEnd:
    """Where a partition begins and ends, transactions that are still open included."""

    low_offset: int
    high_watermark: int


class TopicReader:
    """Reads topics.

    Args:
        kafka: the librdkafka properties that say how the brokers are reached.
        group: a name for the brokers' logs; nothing is committed.
    """

    def __init__(self, *, kafka: Mapping[str, str | int | float | bool], group: str) -> None:
        self._admin = AdminClient({**kafka, "log_level": 0})
        self._properties: dict[str, str | int | float | bool] = {
            **kafka,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            # Only this tells that a partition is read to its end: markers of transactions take
            # offsets that no record has.
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "reconnect.backoff.max.ms": 1_000,
        }

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        """The ends of the topic's partitions that hold anything; none if there is no such topic.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        try:
            found = self._admin.list_topics(timeout=CALL_SECONDS_MAX).topics.get(topic)
            if found is None:
                return {}
            low, high = (
                self._offsets(topic, found.partitions, which) for which in (EARLIEST, LATEST)
            )
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise KafkaUnreachable(f"Kafka does not tell where the topic {topic} ends.") from error
        return {
            partition: PartitionEnd(low_offset=low[partition], high_watermark=end)
            for partition, end in high.items()
            if end > low[partition]
        }

    def offsets_at(self, topic: str, *, milliseconds: int) -> dict[int, int]:
        """The first offset of each partition whose record is not older than this, or its end.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        ends = self.ends(topic)
        try:
            found = self._offsets(topic, ends, OffsetSpec.for_timestamp(milliseconds))
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise KafkaUnreachable(f"Kafka does not search the topic {topic} by time.") from error
        return {
            partition: offset if offset >= 0 else ends[partition].high_watermark
            for partition, offset in found.items()
        }

    def read(
        self, topic: str, *, start: Mapping[int, int], ends: Mapping[int, PartitionEnd]
    ) -> Iterator[tuple[list[tuple[int, StoredRecord]], dict[int, int]]]:
        """Committed records of these partitions from `start` up to `ends`.

        Yields:
            records with their partitions, and the next offset of each partition that moved.

        Raises:
            KafkaUnreachable: an end is not reached in time.
        """
        # Made anew each time: one that is given other topics looks for their leaders only once a
        # second.
        consumer = Consumer(self._properties, logger=logging.getLogger("kafka"))
        try:
            consumer.assign(
                [TopicPartition(topic, partition, offset) for partition, offset in start.items()]
            )
            left, quiet = set(start), 0
            while left:
                first = consumer.poll(READ_SECONDS)
                # What is here already; waiting for more would wait in vain at the end.
                more = consumer.consume(READ_RECORDS_MAX, 0.0) if first is not None else ()
                records, moved = _batch([first, *more] if first is not None else ())
                left -= {one for one, at in moved.items() if at >= ends[one].high_watermark}
                quiet = 0 if moved else quiet + 1
                if quiet > QUIET_READS_MAX:
                    raise KafkaUnreachable(
                        f"The end of the topic {topic} is not reached: a transaction over it "
                        "stays open, or its leader is away."
                    )
                yield records, moved
        finally:
            consumer.close()

    def _offsets(
        self, topic: str, partitions: Iterable[int], specification: OffsetSpec
    ) -> dict[int, int]:
        wanted = {TopicPartition(topic, partition): specification for partition in partitions}
        found = listed_offsets(self._admin, wanted, seconds_max=CALL_SECONDS_MAX)
        return {place.partition: offset for place, offset in found.items()}


def _batch(
    messages: Sequence[Message],
) -> tuple[list[tuple[int, StoredRecord]], dict[int, int]]:
    records = []
    moved: dict[int, int] = {}
    for message in messages:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        if error is None:
            record = stored(message)
            records.append((partition, record))
            moved[partition] = record.next_offset
        elif error.code() == KafkaError._PARTITION_EOF and offset is not None:
            moved[partition] = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise KafkaUnreachable(
                f"The topic {message.topic()} does not reach back to where it was read."
            )
    return records, moved
