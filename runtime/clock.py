"""Time as an argument: UTC microseconds at the edges, monotonic seconds inside."""

import time
from typing import Protocol

MICROS_PER_SECOND = 1_000_000


class Clock(Protocol):
    """What a component may know of time."""

    def utc_micros(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_seconds(self) -> float:
        """Seconds of a clock that never goes back; only differences mean anything."""
        ...


class SystemClock:
    """The machine's clocks."""

    def utc_micros(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns() // 1_000

    def monotonic_seconds(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()
