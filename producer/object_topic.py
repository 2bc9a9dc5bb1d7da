"""One object topic, read whole and then read on from where it was left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from producer.errors import ForeignRecord
from producer.kafka_changelog import StoredRecord
from producer.kafka_topic_reader import PartitionEnd
from producer.order import Entry
from producer.record import entry_of_headers

MILLISECONDS_PER_SECOND: Final = 1_000


class Records(Protocol):
    """What is needed of Kafka; `TopicReader` has it."""

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        """Where each partition of a topic ends now."""
        ...

    def offsets_at(self, topic: str, *, milliseconds: int) -> dict[int, int]:
        """The first offset of each partition whose record is not older than this."""
        ...

    def read(
        self, topic: str, *, start: Mapping[int, int], ends: Mapping[int, PartitionEnd]
    ) -> Iterator[tuple[list[tuple[int, StoredRecord]], dict[int, int]]]:
        """Committed records up to the ends, and the next offset of each partition that moved."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecord:
    """A record of an object topic.

    Attributes:
        entry: what its headers say.
    """

    key: str
    partition: int
    entry: Entry
    stored: StoredRecord


class ObjectTopic:
    """All partitions of one object topic.

    Args:
        records: reads topics.
        topic: its name.
    """

    def __init__(self, *, records: Records, topic: str) -> None:
        self._records = records
        self._topic = topic
        self._next_offsets: dict[int, int] = {}

    def begin_at(self, second: int) -> None:
        """Begin with the first record of each partition that is not older than this second.

        A record's time is its `_event_at`; those behind it may be older.

        Raises:
            KafkaUnreachable: Kafka does not tell where that is.
        """
        milliseconds = second * MILLISECONDS_PER_SECOND
        self._next_offsets = self._records.offsets_at(self._topic, milliseconds=milliseconds)

    def read_on(self, back_to: Mapping[int, int]) -> Iterator[list[PublishedRecord]]:
        """Every committed record up to now: from where it was left, or from further back.

        Args:
            back_to: partition -> the offset to begin at, where that is before what was left.

        Raises:
            ForeignRecord: a record that no relay wrote.
            KafkaUnreachable: the ends cannot be read or reached.
        """
        ends = self._records.ends(self._topic)
        start = {
            partition: max(self._start(partition, back_to), end.low_offset)
            for partition, end in ends.items()
        }
        behind = {
            partition: offset
            for partition, offset in start.items()
            if offset < ends[partition].high_watermark
        }
        if not behind:
            return
        for records, moved in self._records.read(self._topic, start=behind, ends=ends):
            yield [_read(partition, record) for partition, record in records]
            for partition, offset in moved.items():
                known = self._next_offsets.get(partition, 0)
                self._next_offsets[partition] = max(known, offset)

    def _start(self, partition: int, back_to: Mapping[int, int]) -> int:
        left = self._next_offsets.get(partition, 0)
        return min(left, back_to.get(partition, left))


def _read(partition: int, record: StoredRecord) -> PublishedRecord:
    try:
        entry = entry_of_headers(record.headers, record_offset=record.offset)
        key = record.key.decode()
    except ValueError as error:
        raise ForeignRecord(topic=record.topic, offset=record.offset) from error
    return PublishedRecord(key=key, partition=partition, entry=entry, stored=record)
