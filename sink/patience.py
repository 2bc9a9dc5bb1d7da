"""Tried again while somebody else is in the way: a command waits for them, but not for good."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

from runtime.logs import logger
from runtime.retry import Backoff, jitter
from sink.errors import PostgresRefused

BACKOFF: Final = Backoff(first_seconds=0.1, factor=2, pause_seconds_max=5)
TRIES_MAX: Final = 20
"""Each of them may wait for a lock as long as the session's `lock_timeout` says."""
IN_THE_WAY: Final = frozenset({"40", "55"})
"""Classes of SQLSTATE: a deadlock, a serialization failure, a lock that was not had in time."""

Answer = TypeVar("Answer")
Pause = Callable[[float], None]
"""Waits so many seconds."""


def patiently(attempt: Callable[[], Answer], *, pause: Pause = time.sleep) -> Answer:
    """What `attempt` gives; it is tried again while another session's locks are in the way.

    Args:
        attempt: does all of its work or, when it raises, nothing.

    Raises:
        PostgresRefused: for another reason, or still after so many tries.
    """
    failures = 0
    while True:
        try:
            return attempt()
        except PostgresRefused as refused:
            failures += 1
            if refused.sqlstate[:2] not in IN_THE_WAY or failures == TRIES_MAX:
                raise
            reason = refused.summary
        seconds = BACKOFF.pause_seconds(attempt=failures, jitter=jitter())
        logger("postgres").warning(
            "waits", reason=reason, attempt=failures, seconds=round(seconds, 3)
        )
        pause(seconds)
