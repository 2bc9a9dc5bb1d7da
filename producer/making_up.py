"""Backfills that polling found to be due: one after the other, and nothing waits for them."""

import threading
from collections import deque
from collections.abc import Callable

from producer.errors import LimiterStopped


class MakingUp:
    """A thread that lives while a backfill is due; any thread may use it."""

    def __init__(self, make_up: Callable[[str], None]) -> None:
        """Nothing is due yet.

        Args:
            make_up: one account's backfill. What it raises ends the thread, and is raised by
                the next `want`; `LimiterStopped` ends it in silence.
        """
        self._make_up = make_up
        self._lock = threading.Lock()
        self._wanted: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None

    def want(self, account_id: str) -> None:
        """Let an account's turn come, unless it waits for that already."""
        with self._lock:
            if self._fault is not None:
                raise self._fault
            if account_id in self._wanted:
                return
            self._wanted.append(account_id)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="backfill", daemon=True)
                self._thread.start()

    def await_end(self, *, seconds_max: float) -> None:
        """Wait until nothing is due any more."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(seconds_max)

    def _work(self) -> None:
        while (account_id := self._next()) is not None:
            try:
                self._make_up(account_id)
            except BaseException as error:  # noqa: BLE001 - raised again by whoever wants more
                self._end(None if isinstance(error, LimiterStopped) else error)
                return
            with self._lock:
                self._wanted.popleft()

    def _next(self) -> str | None:
        with self._lock:
            if not self._wanted:
                self._thread = None
                return None
            return self._wanted[0]

    def _end(self, fault: BaseException | None) -> None:
        with self._lock:
            self._fault = fault
            self._wanted.clear()
            self._thread = None
