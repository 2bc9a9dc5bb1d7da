"""All parts of a small installation as processes of one parent, which tends them."""

from collections.abc import Sequence
from typing import Final

from producer.part import Part
from runtime import logs
from runtime.health import Health
from runtime.metrics import RUN_READY, RUN_RESTARTS, Meters
from runtime.stop import Stop

LOOK_SECONDS: Final = 0.5
STOP_SECONDS_MAX: Final = 25.0
"""For one part; container engines allow 30 seconds, and most parts take one."""


class ProcessGroup:
    """Starts the parts, starts again what dies, and stops them in their order.

    **Invariant:** no part outlives this process: each ends when its standard input is closed.
    """

    def __init__(
        self, parts: Sequence[Part], *, stop: Stop, health: Health, meters: Meters
    ) -> None:
        """Nothing is started yet.

        Args:
            parts: in the order in which they are to be stopped: what takes in comes first.
            stop: ends `run`.
            health: ready while every part is.
            meters: for the metrics.
        """
        self._parts = parts
        self._stop = stop
        self._health = health
        self._meters = meters

    def run(self) -> None:
        """Tend the parts until the stop is requested and all have ended."""
        try:
            while not self._stop.requested:
                self._tend()
                self._look()
                self._stop.wait(seconds=LOOK_SECONDS)
        finally:
            self._health.mark_unready("stopping")
            self._end()

    def _tend(self) -> None:
        for part in self._parts:
            if part.tend():
                self._meters.add(RUN_RESTARTS, part=part.name)

    def _look(self) -> None:
        self._health.beat()
        reasons = {part.name: part.unready_reason() for part in self._parts}
        for part in self._parts:
            self._meters.set_to(RUN_READY, 0 if reasons[part.name] else 1, part=part.name)
        unready = [f"{name}: {reason}" for name, reason in reasons.items() if reason]
        if unready:
            self._health.mark_unready("; ".join(unready))
        else:
            self._health.mark_ready()

    def _end(self) -> None:
        for part in self._parts:
            part.request_stop()
            part.await_end(seconds_max=STOP_SECONDS_MAX)
            logs.logger("run").info("part stopped", part=part.name)
