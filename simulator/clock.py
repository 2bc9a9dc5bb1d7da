"""A clock that can be moved forward and stopped; the simulator's only source of time."""

from runtime.clock import MICROS_PER_SECOND, Clock


class MovableClock:
    """Runs beside a real clock, ahead of it by what it was moved, or stands still.

    **Invariant:** it never goes back: objects are listed by their time of creation.
    """

    def __init__(self, *, real: Clock, start_seconds: int | None = None) -> None:
        self._real = real
        self._ahead_micros = 0
        self._stopped_at: int | None = None
        self._moment = 0
        if start_seconds is not None:
            self._ahead_micros = start_seconds * MICROS_PER_SECOND - real.utc_micros()

    def utc_micros(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z in the simulated world."""
        if self._stopped_at is not None:
            return self._stopped_at
        return self._real.utc_micros() + self._ahead_micros

    def monotonic_seconds(self) -> float:
        """Seconds of the real clock: waiting is never simulated."""
        return self._real.monotonic_seconds()

    @property
    def seconds(self) -> int:
        """Whole seconds, as in every time that Stripe gives."""
        return self.utc_micros() // MICROS_PER_SECOND

    def moment(self, second: int) -> int:
        """Milliseconds since 1970 within `second`, later than every one given before it.

        A second has a thousand of them; what happens beyond shares the last.
        """
        latest = min(self.utc_micros() // 1_000, second * 1_000 + 999)
        self._moment = min(max(latest, self._moment + 1), second * 1_000 + 999)
        return self._moment

    @property
    def stopped(self) -> bool:
        """Whether it stands still until it is moved or started."""
        return self._stopped_at is not None

    def move_to(self, seconds: int) -> None:
        """Move forward to `seconds`; a time already passed changes nothing."""
        micros = max(seconds * MICROS_PER_SECOND, self.utc_micros())
        self._ahead_micros = micros - self._real.utc_micros()
        if self._stopped_at is not None:
            self._stopped_at = micros

    def stop(self) -> None:
        """Stand still: everything from now on happens in this second."""
        self._stopped_at = self.utc_micros()

    def start(self) -> None:
        """Run again from where it stands."""
        if self._stopped_at is not None:
            self._ahead_micros = self._stopped_at - self._real.utc_micros()
            self._stopped_at = None
