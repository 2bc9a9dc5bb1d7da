"""One object topic at a time, all its partitions side by side, up to where it ends now."""

import concurrent.futures
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from producer.errors import KafkaUnreachable
from producer.kafka_changelog import EARLIEST, LATEST, StoredRecord, stored

CALL_SECONDS_MAX: Final = 10.0
MOVING_PAUSE_SECONDS: Final = 0.05
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
        deadline = time.monotonic() + CALL_SECONDS_MAX
        while True:
            try:
                return self._ends_now(topic)
            except (KafkaException, concurrent.futures.TimeoutError) as error:
                if not _is_moving(error) or time.monotonic() >= deadline:
                    raise KafkaUnreachable(
                        f"Kafka does not tell where the topic {topic} ends."
                    ) from error
            time.sleep(MOVING_PAUSE_SECONDS)

    def _ends_now(self, topic: str) -> dict[int, PartitionEnd]:
        found = self._admin.list_topics(timeout=CALL_SECONDS_MAX).topics.get(topic)
        if found is None:
            return {}
        places = [TopicPartition(topic, partition) for partition in found.partitions]
        low, high = (self._offsets(places, which) for which in (EARLIEST, LATEST))
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
        places = [TopicPartition(topic, partition) for partition in ends]
        try:
            found = self._offsets(places, OffsetSpec.for_timestamp(milliseconds))
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
        self, places: Sequence[TopicPartition], specification: OffsetSpec
    ) -> dict[int, int]:
        if not places:
            return {}
        answers = self._admin.list_offsets(
            dict.fromkeys(places, specification),
            # What an open transaction has written counts: reading waits for its outcome.
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=CALL_SECONDS_MAX,
        )
        return {
            place.partition: int(answer.result(CALL_SECONDS_MAX).offset)
            for place, answer in answers.items()
        }


def _is_moving(error: Exception) -> bool:
    """Whether a partition's leader is not yet, or no longer, who was asked.

    So it is for a moment after a topic was made, and when a broker leaves: a new leader is asked
    as soon as Kafka names it.
    """
    return isinstance(error, KafkaException) and error.args[0].code() in _MOVING


_MOVING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


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
