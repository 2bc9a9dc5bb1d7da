"""A batch: what was read from Kafka in one go, in order, and how it is cut."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = list[tuple[str, str | bytes | None]] | dict[str, str | bytes | None]
"""As the Kafka client declares them; it always gives the list."""


class Partition(NamedTuple):
    """One partition of a topic; a tuple, because it is hashed for each record."""

    topic: str
    number: int


class Record(Protocol):
    """One record as the Kafka client gives it; nothing is copied until it is asked for."""

    def topic(self) -> str | None:
        """The topic's name."""
        ...

    def partition(self) -> int | None:
        """The partition's number."""
        ...

    def offset(self) -> int | None:
        """The offset in the partition."""
        ...

    def key(self) -> str | bytes | None:
        """The record key."""
        ...

    def value(self) -> str | bytes | None:
        """The framed record."""
        ...

    def headers(self) -> Headers | None:
        """The headers, decoded when asked for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one record stands."""

    partition: Partition
    offset: int


def place_of(record: Record) -> Place:
    """Where a record stands in Kafka."""
    topic, number, offset = record.topic(), record.partition(), record.offset()
    assert topic is not None
    assert number is not None
    assert offset is not None
    return Place(partition=Partition(topic, number), offset=offset)


def bytes_of(value: str | bytes | None) -> bytes | None:
    """A key or a value as the bytes that it is."""
    return value.encode() if isinstance(value, str) else value


def headers_of(record: Record) -> list[tuple[str, str | bytes | None]]:
    """A record's headers, in their order."""
    found = record.headers()
    return list(found.items()) if isinstance(found, dict) else list(found or ())


def partitions_of(records: Iterable[Record]) -> set[Partition]:
    """Which partitions records stand in."""
    found = {(record.topic(), record.partition()) for record in records}
    partitions = set()
    for topic, number in found:
        assert topic is not None
        assert number is not None
        partitions.add(Partition(topic, number))
    return partitions


def next_offset(offset: int) -> int:
    """The offset to read after `offset` was: what is committed."""
    return offset + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records in the order in which they were read, and the fences under which they were.

    Attributes:
        records: of any partitions, each partition's by rising offset.
        fences: for each partition of `records`, the number that our claim on it has.
    """

    records: Sequence[Record]
    fences: Mapping[Partition, int]

    def next_offsets(self) -> dict[Partition, int]:
        """For each partition, where reading goes on after this batch."""
        # The last of each partition counts, so later ones overwrite earlier ones.
        last = {(record.topic(), record.partition()): record.offset() for record in self.records}
        found = {}
        for (topic, number), offset in last.items():
            assert topic is not None
            assert number is not None
            assert offset is not None
            found[Partition(topic, number)] = next_offset(offset)
        return found

    def halves(self) -> tuple["Batch", "Batch"]:
        """The earlier and the later half; written in this order they say what the whole says."""
        assert len(self.records) > 1
        middle = len(self.records) // 2
        return self._of(self.records[:middle]), self._of(self.records[middle:])

    def without(self, partitions: Collection[Partition]) -> "Batch":
        """The batch less some partitions."""
        return self._of(
            [record for record in self.records if place_of(record).partition not in partitions]
        )

    def _of(self, records: Sequence[Record]) -> "Batch":
        return Batch(records=records, fences=self.fences)


def longest_run(
    records: Iterable[Record], dead: Collection[Place], before: Mapping[Partition, int]
) -> tuple[Partition | None, int]:
    """The longest run of dead records of one partition, and the partition.

    Args:
        records: a batch's, in order.
        dead: the places of those that cannot be written.
        before: how many died in a row before this batch, by partition.
    """
    running = dict(before)
    longest: tuple[Partition | None, int] = (None, 0)
    for record in records:
        place = place_of(record)
        run = running.get(place.partition, 0) + 1 if place in dead else 0
        running[place.partition] = run
        if run > longest[1]:
            longest = (place.partition, run)
    return longest


def runs_after(
    records: Iterable[Record], dead: Collection[Place], before: Mapping[Partition, int]
) -> dict[Partition, int]:
    """How many records died in a row at the end of each partition of a batch."""
    running: dict[Partition, int] = {}
    if not dead:
        # The usual case, and records are many: each partition ends with a good one.
        return dict.fromkeys(partitions_of(records), 0)
    for record in records:
        place = place_of(record)
        earlier = running.get(place.partition, before.get(place.partition, 0))
        running[place.partition] = earlier + 1 if place in dead else 0
    return running
