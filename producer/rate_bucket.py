"""The pace of requests to one account, or to one endpoint of it; it knows no clock.

**Invariant:** no second, wherever it begins, holds more requests than a second may.
"""

import threading
from collections import deque
from enum import StrEnum
from typing import Final

BACKGROUND_SHARE: Final = 0.97
"""Of what is allowed; the rest is for requests that somebody waits for, here or elsewhere."""
HALVED: Final = 0.5
PER_SECOND_MIN: Final = 0.5
WINDOW_SECONDS: Final = 1.0
COUNTED_MAX: Final = 1_000
"""Where more are allowed in a window, they are spread evenly and not counted."""
CAUGHT_UP_SECONDS_MAX: Final = 0.25
REGAINED_SHARE_PER_SECOND: Final = 0.02
"""Of what is allowed, given back each second: from a half to the whole in 25 seconds."""


class Purpose(StrEnum):
    """Who waits for a request."""

    BACKGROUND = "background"
    """Nobody in particular: backfill, reconcile."""
    URGENT = "urgent"
    """A change that is held back until Stripe answers."""


class Bucket:
    """One pace; every time is in seconds of a monotonic clock.

    Attributes:
        per_second: the rate now; at most what is allowed.
        turn: held by the one background request that waits for the clock.
        expected: background requests that were announced and have no permit yet.
        urgent_waiting: urgent requests that wait for this bucket.
        halved_at: number of the newest permit when the rate was halved last.
    """

    def __init__(self, *, allowed: float, now: float) -> None:
        self.per_second = allowed
        self.turn = threading.Lock()
        self.expected = 0
        self.urgent_waiting = 0
        self.halved_at = 0
        self._allowed = allowed
        self._regained_at = now
        self._last = deque[float](maxlen=max(1, int(allowed))) if allowed <= COUNTED_MAX else None
        self._next = {Purpose.BACKGROUND: now, Purpose.URGENT: now}

    def wait_seconds(self, now: float, purpose: Purpose) -> float:
        """How long until a request of this purpose may go; not above 0 when it may now."""
        self.regain(now)
        seconds = self._next[purpose] - now
        if self._last is not None and len(self._last) == self._last.maxlen:
            seconds = max(seconds, self._last[0] + WINDOW_SECONDS - now)
        if seconds <= 0 and purpose is Purpose.BACKGROUND and self.urgent_waiting:
            return 1 / self.per_second
        return seconds

    def take(self, now: float, purpose: Purpose) -> None:
        """A request goes now."""
        if self._last is not None:
            self._last.append(now)
        pause = 1 / self.per_second
        urgent, background = self._next[Purpose.URGENT], self._next[Purpose.BACKGROUND]
        self._next[Purpose.URGENT] = max(urgent, now) + pause
        if purpose is Purpose.URGENT:
            self._next[Purpose.BACKGROUND] = max(background, now) + pause
        else:
            # Places missed by waking up late, on a busy machine, are made up for.
            earliest = now - CAUGHT_UP_SECONDS_MAX
            self._next[Purpose.BACKGROUND] = max(background + pause / BACKGROUND_SHARE, earliest)

    def halve(self, now: float) -> None:
        """Stripe said that it was too much."""
        self.regain(now)
        floor = min(PER_SECOND_MIN, self._allowed)
        self.per_second = max(self.per_second * HALVED, floor)
        for purpose in self._next:
            self._next[purpose] = max(self._next[purpose], now + 1 / self.per_second)

    def regain(self, now: float) -> None:
        """Creep up again, by the time that has passed."""
        gained = self._allowed * REGAINED_SHARE_PER_SECOND * (now - self._regained_at)
        self.per_second = min(self.per_second + gained, self._allowed)
        self._regained_at = now

    def rests(self, now: float) -> bool:
        """Whether a new bucket would do as well."""
        self.regain(now)
        idle = all(at <= now for at in self._next.values()) and not self.expected
        return idle and self.per_second == self._allowed and not self.turn.locked()
