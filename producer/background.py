"""Calls that may never come back, on threads that may be left behind.

librdkafka's transaction calls take a time limit, but after a short break of the line some of them
were seen to wait for ever. Whoever waits for such a call must be able to walk away from it.
"""

import concurrent.futures
import threading
from collections.abc import Callable

from producer.errors import UnknownOutcome


class Call:
    """One call on a thread of its own; the process ends without waiting for it."""

    def __init__(self, call: Callable[[], None], *, name: str) -> None:
        """Begin the call at once."""
        self._future: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._call = call
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def outcome(self, *, seconds_max: float) -> None:
        """Wait for the call's end.

        Raises:
            UnknownOutcome: it did not come back in time, or said so itself.
            (whatever the call raises)
        """
        try:
            self._future.result(seconds_max)
        except concurrent.futures.TimeoutError as error:
            raise UnknownOutcome("no_end_in_time") from error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            self._future.set_exception(error)
        else:
            self._future.set_result(None)
