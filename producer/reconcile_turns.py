"""On a schedule: when everything is compared, and when only what changes without events."""

from collections.abc import Sequence
from typing import Final, Protocol

from producer.reconcile_report import Tally, exit_code
from runtime.clock import MICROS_PER_SECOND, Clock
from runtime.errors import ExitCode
from runtime.metrics import RECONCILE_SUCCEEDED_AT, Meters

GLANCE_SECONDS: Final = 3_600.0
"""Between two looks at what changes without events, where everything is compared less often."""
GLANCE_OVERLAP_SECONDS: Final = 3_600
AGAIN_SECONDS: Final = 3_600.0
"""After a run that could not read everything."""


class Runs(Protocol):
    """What there is to do."""

    def once(self) -> Sequence[Tally]:
        """Compare everything that was chosen."""
        ...

    def glance(self, *, since: int) -> None:
        """Look at what was created since then, of the types that change without events."""
        ...


class Turns:
    """Everything when it is time, and in between what changes without events.

    Attributes:
        pause_seconds: between two turns.
    """

    def __init__(self, runs: Runs, *, every_seconds: float, clock: Clock, meters: Meters) -> None:
        self._runs = runs
        self._meters = meters
        self._every_seconds = every_seconds
        self.pause_seconds = min(every_seconds, GLANCE_SECONDS)
        self._clock = clock
        self._due_at = clock.monotonic_seconds()
        self._glanced_at = 0
        # An alert on its age must not begin with an age of decades.
        self._note_success()

    def work(self) -> None:
        """One turn."""
        began = self._clock.utc_micros() // MICROS_PER_SECOND
        if self._clock.monotonic_seconds() < self._due_at:
            self._runs.glance(since=self._glanced_at - GLANCE_OVERLAP_SECONDS)
        else:
            tallies = self._runs.once()
            is_whole = exit_code(tallies) is not ExitCode.FAILED
            pause_seconds = self._every_seconds
            if is_whole:
                self._note_success()
            else:
                pause_seconds = min(pause_seconds, AGAIN_SECONDS)
            self._due_at = self._clock.monotonic_seconds() + pause_seconds
        self._glanced_at = began

    def _note_success(self) -> None:
        now = self._clock.utc_micros() / MICROS_PER_SECOND
        self._meters.set_to(RECONCILE_SUCCEEDED_AT, now)
