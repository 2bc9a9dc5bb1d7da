"""How far the relay is behind in each of its partitions, also while nothing is committed."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from producer.relay_meters import RelayMeters
from runtime.clock import Clock

ASK_SECONDS: Final = 5.0
"""Between two questions for the ends of partitions that are not being read."""

Bounds = dict[int, tuple[int, int]]
"""Partition -> its first offset and its end; without those of which none is known."""


class Inbox(Protocol):
    """What is known of the inbox; `InboxConsumer` knows it."""

    def bounds(self, partitions: Iterable[int]) -> Bounds:
        """As last heard of, with what is read."""
        ...

    def bounds_asked_for(self, partitions: Iterable[int]) -> Bounds:
        """As Kafka tells now."""
        ...

    def positions(self) -> dict[int, int]:
        """The next offset to read of partitions that were read."""
        ...


class RelayLag:
    """Knows what was relayed of each partition that is ours, and shows what was not."""

    def __init__(self, *, inbox: Inbox, meters: RelayMeters, clock: Clock) -> None:
        self._inbox = inbox
        self._meters = meters
        self._clock = clock
        self._next_offsets: dict[int, int] = {}
        self._bounds: Bounds = {}
        self._ask_at = 0.0
        self._reached = clock.utc_micros()
        self.none = False
        """Whether everything in the inbox is relayed, as far as is known."""

    def begin(self, next_offsets: Mapping[int, int | None]) -> None:
        """These partitions are ours now; with what was committed of each, if anything."""
        self._next_offsets = {
            partition: 0 if offset is None else offset
            for partition, offset in next_offsets.items()
        }
        self._bounds = {}
        self.none = False

    def relayed(self, next_offsets: Mapping[int, int], *, received_at: int) -> None:
        """A batch is committed.

        Args:
            next_offsets: partition -> what is to be read after it.
            received_at: of its last record, microseconds since 1970 UTC; 0 if unknown.
        """
        self._next_offsets |= next_offsets
        if received_at:
            self._reached = received_at

    def show(self, *, idle: bool, reading: bool) -> None:
        """Show how far behind each partition is, and since when.

        Args:
            idle: whether everything that was read is relayed.
            reading: whether the inbox is being read, so that its ends come along.
        """
        if idle:
            # Past the ends of transactions, too, which are no records.
            for partition, offset in self._inbox.positions().items():
                if offset > self._next_offsets.get(partition, offset):
                    self._next_offsets[partition] = offset
        self._look(reading=reading)
        behind = {
            partition: max(0, high - max(low, self._next_offsets[partition]))
            for partition, (low, high) in self._bounds.items()
        }
        self.none = behind.keys() == self._next_offsets.keys() and not any(behind.values())
        now = self._clock.utc_micros()
        if self.none:
            self._reached = now
        self._meters.lag(behind, partitions=self._next_offsets, micros=now - self._reached)

    def _look(self, *, reading: bool) -> None:
        if reading:
            self._bounds |= self._inbox.bounds(self._next_offsets)
            return
        now = self._clock.monotonic_seconds()
        if now >= self._ask_at:
            self._bounds |= self._inbox.bounds_asked_for(self._next_offsets)
            self._ask_at = self._clock.monotonic_seconds() + ASK_SECONDS
