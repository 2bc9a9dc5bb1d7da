"""A topic from one place to another: for those who read it back, outside the sink's group."""

import concurrent.futures
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.kafka_offsets import EARLIEST, LATEST, listed_offsets
from schemas.topics import Names
from sink.batch import Partition, Record, next_offset
from sink.errors import KafkaAway

CALL_SECONDS_MAX: Final = 10.0
READ_RECORDS_MAX: Final = 2_000
READ_SECONDS: Final = 0.2
QUIET_READS_MAX: Final = 150
"""Reads in a row that bring nothing; by then every transaction of a dead relay has timed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How far a topic reaches, transactions that are still open included.

    Attributes:
        topic_id: the cluster's id of the topic; one that was made anew has another.
        starts: the first offset of each partition.
        ends: the offset after the last one of each partition.
    """

    topic_id: str
    starts: Mapping[int, int]
    ends: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Records that were read in one go, and where each partition stands after them."""

    records: list[Record]
    next_offsets: Mapping[int, int]


class TopicReader:
    """Reads object topics from one offset to another.

    Args:
        properties: how the brokers are reached.
        names: the installation's topics.
    """

    def __init__(
        self, properties: Mapping[str, str | int | float | bool], *, names: Names
    ) -> None:
        self._properties = dict(properties)
        self._names = names
        self._admin = AdminClient({**properties, "log_level": 0})

    def tables(self) -> list[str]:
        """The tables of all object topics that exist.

        Raises:
            KafkaAway: no answer in time.
        """
        try:
            listed = self._admin.list_topics(timeout=CALL_SECONDS_MAX).topics
        except KafkaException as error:
            raise KafkaAway("Kafka does not list its topics. Is it there?") from error
        prefix = f"{self._names.namespace}."
        return sorted(self._names.table_of(topic) for topic in listed if topic.startswith(prefix))

    def extent(self, topic: str) -> Extent | None:
        """How far the topic reaches now; none if there is no such topic.

        Raises:
            KafkaAway: no answer in time.
        """
        try:
            described = self._admin.describe_topics(
                TopicCollection([topic]), request_timeout=CALL_SECONDS_MAX
            )[topic].result(CALL_SECONDS_MAX)
            numbers = [partition.id for partition in described.partitions]
            return Extent(
                topic_id=str(described.topic_id),
                starts=self._offsets(topic, dict.fromkeys(numbers, EARLIEST)),
                ends=self._offsets(topic, dict.fromkeys(numbers, LATEST)),
            )
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise KafkaAway(f"Kafka does not say how far {topic} reaches.") from error
        except concurrent.futures.TimeoutError as error:
            raise KafkaAway(f"Kafka does not say how far {topic} reaches.") from error

    def offsets_at(self, topic: str, extent: Extent, *, milliseconds: int) -> dict[int, int]:
        """The first offset of each partition whose record is not older; the end if all are.

        Raises:
            KafkaAway: no answer in time.
        """
        specification = OffsetSpec.for_timestamp(milliseconds)
        try:
            found = self._offsets(topic, dict.fromkeys(extent.ends, specification))
        except (KafkaException, concurrent.futures.TimeoutError) as error:
            raise KafkaAway(f"Kafka does not say where {topic} was at that time.") from error
        return {
            number: offset if offset >= 0 else extent.ends[number]
            for number, offset in found.items()
        }

    def read(
        self, topic: str, *, starts: Mapping[int, int], ends: Mapping[int, int]
    ) -> Iterator[Stretch]:
        """Committed records of each partition from its start up to its end.

        Raises:
            KafkaAway: an end is not reached in time.
        """
        left = {number for number, start in starts.items() if start < ends[number]}
        if not left:
            return
        consumer = Consumer(self._consumer_properties(), logger=logging.getLogger("kafka"))
        try:
            consumer.assign([TopicPartition(topic, one, starts[one]) for one in sorted(left)])
            quiet = 0
            while left:
                stretch = _stretch(consumer, topic, ends)
                # Offsets have gaps: a transaction's end takes one, and compaction leaves holes.
                # Only the position says that the end is reached.
                done = {
                    number
                    for number, offset in stretch.next_offsets.items()
                    if number in left and offset >= ends[number]
                }
                left -= done
                if done and left:
                    consumer.incremental_unassign([TopicPartition(topic, one) for one in done])
                quiet = 0 if stretch.next_offsets else quiet + 1
                if quiet > QUIET_READS_MAX:
                    raise KafkaAway(
                        f"The end of {topic} is not reached: a transaction over it stays open, or "
                        "its leader is away."
                    )
                if stretch.next_offsets:
                    yield stretch
        finally:
            consumer.close()

    def _offsets(self, topic: str, wanted: Mapping[int, OffsetSpec]) -> dict[int, int]:
        places = {TopicPartition(topic, number): one for number, one in wanted.items()}
        found = listed_offsets(self._admin, places, seconds_max=CALL_SECONDS_MAX)
        return {place.partition: offset for place, offset in found.items()}

    def _consumer_properties(self) -> dict[str, Any]:
        return {
            **self._properties,
            "client.id": "stripeline-sink",
            # A name for the brokers' logs; nothing is committed.
            "group.id": f"{self._names.sink_group}-rebuild",
            "enable.auto.commit": False,
            # Compaction may have taken the first records meanwhile: then the next ones begin.
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "queued.min.messages": 20_000,
            "queued.max.messages.kbytes": 65_536,
            "reconnect.backoff.max.ms": 1_000,
        }


def places_of(topic: str, offsets: Mapping[int, int]) -> dict[Partition, int]:
    """The offsets of one topic's partitions, each named in full."""
    return {Partition(topic, number): offset for number, offset in offsets.items()}


def _stretch(consumer: Consumer, topic: str, ends: Mapping[int, int]) -> Stretch:
    """What the client has; records from an end on are for who reads on from there."""
    records: list[Record] = []
    reached: dict[int, int] = {}
    for message in consumer.consume(READ_RECORDS_MAX, READ_SECONDS):
        error, number, offset = message.error(), message.partition(), message.offset()
        if error is not None and error.code() not in _PASSING:
            raise KafkaAway(f"Kafka does not show {topic}: {error.name()}.")
        if number is None or offset is None:
            continue
        if error is None:
            reached[number] = min(next_offset(offset), ends[number])
            if offset < ends[number]:
                records.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            reached[number] = min(offset, ends[number])
    return Stretch(records=records, next_offsets=reached)


_PASSING: Final = frozenset(
    {
        KafkaError._PARTITION_EOF,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
    }
)
"""Errors after which the client goes on by itself."""
