"""Orderly stop: SIGTERM and SIGINT only record the wish; each loop ends at its own pace."""

import queue
import signal
from types import FrameType


class Stop:
    """One wish to stop, shared by the loops of a process.

    A signal may interrupt the main thread anywhere, within `wait`, too. `threading.Event` holds a
    lock there that its `set` would wait for, for ever; a `SimpleQueue` takes something in at any
    time.
    """

    def __init__(self) -> None:
        self._requested = False
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()

    def install(self) -> None:
        """Let SIGTERM and SIGINT request the stop; call from the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.request()

    def request(self) -> None:
        """Ask the loops to end."""
        if not self._requested:
            self._requested = True
            self._wakes.put(None)

    @property
    def requested(self) -> bool:
        """Whether the loops should end."""
        return self._requested

    def wait(self, *, seconds: float) -> bool:
        """Wait until the stop is requested, at most `seconds`; whether it was."""
        if not self._requested and seconds > 0:
            try:
                self._wakes.get(timeout=seconds)
            except queue.Empty:
                pass
            else:
                # For the next one who waits.
                self._wakes.put(None)
        return self._requested
