"""How much is published in one transaction: less after one that did not get through.

A commit has a time limit, and a line to Kafka may be of any speed. A batch that was too much for
it would be read and given up again, for ever.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final

from producer.reading import InboxRecord

SHARE_MIN: Final = 1 / 1_024
QUICK_SECONDS: Final = 2.0
"""A commit that took no longer would be in time with twice as much, too."""


class Portions:
    """Cuts what was read of the inbox into batches, in its order.

    Args:
        records_max: records in one batch.
        bytes_max: of their values; a single record may be larger.
    """

    def __init__(self, *, records_max: int, bytes_max: int) -> None:
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._share = 1.0
        self._left: deque[InboxRecord] = deque()

    def __len__(self) -> int:
        """How many records were read and are in no batch yet."""
        return len(self._left)

    @property
    def records_max(self) -> int:
        """Records in one batch, as things are."""
        return max(1, int(self._records_max * self._share))

    def add(self, records: Iterable[InboxRecord]) -> None:
        """Take in what was read after everything before."""
        self._left.extend(records)

    def next(self) -> list[InboxRecord]:
        """The next batch; empty if nothing is left."""
        bytes_left = self._bytes_max * self._share
        length = 0
        for record in islice(self._left, self.records_max):
            bytes_left -= len(record.value)
            if length and bytes_left < 0:
                break
            length += 1
        return [self._left.popleft() for _ in range(length)]

    def failed(self) -> None:
        """A batch did not get through: the next ones are half as large."""
        self._share = max(self._share / 2, SHARE_MIN)

    def committed(self, *, seconds: float) -> None:
        """A batch got through: if it was quick, the next ones may be twice as large again."""
        if seconds <= QUICK_SECONDS:
            self._share = min(self._share * 2, 1.0)

    def forget(self) -> None:
        """Let go of what is left: it will be read again."""
        self._left.clear()
