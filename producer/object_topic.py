"""One object topic, read whole and then read on from where it was left."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from producer.errors import ForeignRecord
from producer.kafka_changelog import StoredRecord, TopicEnd
from producer.order import Entry
from producer.record import entry_of_headers


class Records(Protocol):
    """What is needed of a topic's records; `Changelog` has it."""

    def ends(self, partition: int) -> dict[str, TopicEnd]:
        """Where that partition of each topic ends now."""
        ...

    def read(
        self, partition: int, *, start: Mapping[str, int], ends: Mapping[str, TopicEnd]
    ) -> Iterator[tuple[list[StoredRecord], dict[str, int]]]:
        """Committed records up to the ends, and the next offset of each topic that moved."""
        ...


class ObjectTopic:
    """All partitions of one object topic, one after the other.

    Args:
        records: of this topic alone, or of all.
        topic: its name.
        partitions: how many it has.
    """

    def __init__(self, *, records: Records, topic: str, partitions: int) -> None:
        self._records = records
        self._topic = topic
        self._partitions = partitions
        self._next_offsets: dict[int, int] = {}

    def read_on(
        self, back_to: Mapping[int, int]
    ) -> Iterator[tuple[int, list[tuple[str, Entry, StoredRecord]]]]:
        """Every committed record up to now: from where it was left, or from further back.

        The end is the high watermark as it is when a partition's turn comes.

        Args:
            back_to: partition -> the offset to begin at, where that is before what was left.

        Yields:
            partition, and records with their keys and what their headers say.

        Raises:
            ForeignRecord: a record that no relay wrote.
            KafkaUnreachable: the ends cannot be read or reached.
        """
        for partition in range(self._partitions):
            end = self._records.ends(partition).get(self._topic)
            if end is None:
                continue
            left = self._next_offsets.get(partition, 0)
            start = max(min(left, back_to.get(partition, left)), end.low_offset)
            if start >= end.high_watermark:
                continue
            read = self._records.read(
                partition, start={self._topic: start}, ends={self._topic: end}
            )
            for batch, moved in read:
                yield partition, [_read(record) for record in batch]
                reached = moved.get(self._topic, 0)
                self._next_offsets[partition] = max(self._next_offsets.get(partition, 0), reached)


def _read(record: StoredRecord) -> tuple[str, Entry, StoredRecord]:
    try:
        entry = entry_of_headers(record.headers, record_offset=record.offset)
        return record.key.decode(), entry, record
    except ValueError as error:
        raise ForeignRecord(topic=record.topic, offset=record.offset) from error
