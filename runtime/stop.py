"""Orderly stop: SIGTERM and SIGINT only record the wish; each loop ends at its own pace."""

import signal
import threading
from types import FrameType


class Stop:
    """One wish to stop, shared by the loops of a process."""

    def __init__(self) -> None:
        self._wished = threading.Event()

    def install(self) -> None:
        """Let SIGTERM and SIGINT request the stop; call from the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._wished.set()

    def request(self) -> None:
        """Ask the loops to end."""
        self._wished.set()

    @property
    def requested(self) -> bool:
        """Whether the loops should end."""
        return self._wished.is_set()

    def wait(self, *, seconds: float) -> bool:
        """Wait until the stop is requested, at most `seconds`; whether it was."""
        return self._wished.wait(seconds)
