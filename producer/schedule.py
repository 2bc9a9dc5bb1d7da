"""Work that is done at once and then again and again, while probes are answered."""

import threading
from collections.abc import Callable
from typing import Final

from producer.errors import LimiterStopped
from runtime import logs
from runtime.clock import Clock
from runtime.errors import ExitCode, StripelineError
from runtime.health import Health
from runtime.retry import Backoff
from runtime.stop import Stop

BEAT_SECONDS: Final = 1.0
STOP_SECONDS_MAX: Final = 20.0
"""For the run at work; `producer run` and container engines give a process 25 seconds and more."""
AGAIN: Final = Backoff(first_seconds=10.0, factor=2.0, pause_seconds_max=600.0)
"""After a run for which something was away."""


class Schedule:
    """Runs one piece of work for ever.

    Args:
        every_seconds: from the end of a run to the beginning of the next.
        work: one run; ready says the service while the last one came to its end.
        doubt: asked each second; why the service is not ready all the same, empty if it is.
        again: pauses after runs for which something was away.
        stop_seconds_max: how long a stop waits for the run at work, which then is left in its
            middle: work must be such that it may be killed anywhere.
    """

    def __init__(
        self,
        *,
        every_seconds: float,
        work: Callable[[], None],
        stop: Stop,
        clock: Clock,
        health: Health,
        doubt: Callable[[], str] = str,
        again: Backoff = AGAIN,
        stop_seconds_max: float = STOP_SECONDS_MAX,
    ) -> None:
        self._every_seconds = every_seconds
        self._work = work
        self._stop = stop
        self._clock = clock
        self._health = health
        self._doubt = doubt
        self._again = again
        self._stop_seconds_max = stop_seconds_max
        self._failed: StripelineError | None = None
        self._fault: BaseException | None = None
        self._log = logs.logger("schedule")

    def run(self) -> None:
        """Work until the stop.

        Raises:
            StripelineError: a run failed for something that trying again does not mend.
        """
        attempt = 0
        while not self._stop.requested:
            self._once()
            if isinstance(self._failed, LimiterStopped):
                return
            if self._failed is None:
                attempt = 0
                self._pause(self._every_seconds)
                continue
            if self._failed.exit_code is not ExitCode.UNREACHABLE:
                raise self._failed
            attempt += 1
            self._log.warning("run failed", error=type(self._failed).__name__, attempt=attempt)
            self._pause(self._again.pause_seconds(attempt=attempt, jitter=0.0))

    def _once(self) -> None:
        """One run on a thread of its own: it may wait for Stripe longer than a probe may wait."""
        last, self._failed = self._failed, None
        worker = threading.Thread(target=self._guarded, name="work", daemon=True)
        worker.start()
        left_at: float | None = None
        while worker.is_alive():
            self._beat(last)
            worker.join(BEAT_SECONDS)
            now = self._clock.monotonic_seconds()
            if self._stop.requested and left_at is None:
                left_at = now + self._stop_seconds_max
            if left_at is not None and now >= left_at and worker.is_alive():
                self._log.warning("stopped in the middle of a run")
                return
        if self._fault is not None:
            raise self._fault

    def _guarded(self) -> None:
        try:
            self._work()
        except StripelineError as error:
            self._failed = error
        except BaseException as error:  # noqa: BLE001 - raised again by the main thread
            self._fault = error

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic_seconds() + seconds
        while not self._stop.requested and (left := until - self._clock.monotonic_seconds()) > 0:
            self._beat(self._failed)
            self._stop.wait(seconds=min(left, BEAT_SECONDS))

    def _beat(self, failed: StripelineError | None) -> None:
        """Say that the loop moves, and how it stands.

        Args:
            failed: of the last run that came to its end.
        """
        self._health.beat()
        reason = self._doubt() or (str(failed) if failed is not None else "")
        if reason:
            self._health.mark_unready(reason)
        else:
            self._health.mark_ready()
