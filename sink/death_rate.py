"""How many records of a partition died lately: too many, and the fault is not in the records."""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Final

from sink.batch import Partition, Place

SPAN: Final = 1_000
"""Offsets that count as lately."""


class DeathRate:
    """Counts the dead of each partition within `SPAN` offsets.

    Args:
        dead_max: so many within that span are borne.
    """

    def __init__(self, *, dead_max: int) -> None:
        self._dead_max = dead_max
        self._dead: dict[Partition, list[int]] = {}

    def begin(self, partition: Partition, offsets: Sequence[int]) -> None:
        """Take up a partition; those of it that died before, in any order."""
        self._dead[partition] = sorted(offsets)

    def exceeded_by(self, places: Collection[Place]) -> tuple[Partition, int] | None:
        """The first partition of which too many would be dead with these, and how many."""
        for partition in sorted({place.partition for place in places}):
            new = {place.offset for place in places if place.partition == partition}
            offsets = sorted({*self._dead.get(partition, ()), *new})
            for end, last in enumerate(offsets, start=1):
                count = end - bisect_left(offsets, last - SPAN + 1)
                if count > self._dead_max and last in new:
                    return partition, count
        return None

    def note(self, places: Collection[Place]) -> None:
        """Remember these; what is too far behind to count is forgotten."""
        for partition in {place.partition for place in places}:
            new = {place.offset for place in places if place.partition == partition}
            offsets = sorted({*self._dead.get(partition, ()), *new})
            self._dead[partition] = offsets[bisect_left(offsets, offsets[-1] - SPAN + 1) :]
