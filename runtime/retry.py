"""A retry is a decision: how long to wait before the next attempt, as a pure function."""

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential pauses with jitter, up to a maximum.

    Attributes:
        first_seconds: the pause after the first failed attempt.
        factor: by how much each further pause grows.
        pause_seconds_max: no pause is longer.
    """

    first_seconds: float
    factor: float
    pause_seconds_max: float

    def pause_seconds(self, *, attempt: int, jitter: float) -> float:
        """The pause after the failed attempt number `attempt` (the first is 1).

        Args:
            attempt: how many attempts have failed.
            jitter: a random number in [0, 1); it takes away up to half of the pause, so that
                clients that failed together do not come back together.
        """
        assert attempt >= 1
        assert 0 <= jitter < 1
        # The exponent is bounded because an outage may last for days of attempts.
        grown = self.first_seconds * self.factor ** min(attempt - 1, 64)
        return min(grown, self.pause_seconds_max) * (1 - jitter / 2)


def jitter() -> float:
    """A random number in [0, 1), for a pause."""
    return _RANDOM.random()


_RANDOM: Final = random.SystemRandom()
"""Its own: whoever seeds Python's shared one relies on no thread drawing from it meanwhile."""
