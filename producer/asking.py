"""Asks Stripe on threads of its own, again and again while it does not answer."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from producer.errors import LimiterStopped, RateLimited, StripeUnreachable
from runtime.retry import Backoff, jitter
from runtime.stop import Stop

ATTEMPTS_MAX: Final = 8
"""Without an answer: about two minutes, then whoever asked decides."""
LIMITED_ATTEMPTS_MAX: Final = 1_000
"""Answered by 429: the limiter makes them rarer, so it takes hours to get there."""
BACKOFF: Final = Backoff(first_seconds=0.5, factor=2.0, pause_seconds_max=30.0)

Token = TypeVar("Token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Generic[Token]):
    """What came of a question.

    Attributes:
        token: of whoever asked.
        found: what the question returned; none if it failed.
        error: why it failed; none if it did not.
        retries: how often it was asked again.
    """

    token: Token
    found: Any
    error: Exception | None
    retries: int


class Asking(Generic[Token]):
    """Many questions at once; answers come in any order.

    Args:
        threads: questions at once.
        stop: ends the pauses between attempts.
    """

    def __init__(self, *, threads: int, stop: Stop) -> None:
        self._stop = stop
        self._questions: queue.SimpleQueue[tuple[Token, Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._answers: queue.SimpleQueue[Answer[Token]] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"asking-{number}", daemon=True)
            for number in range(threads)
        ]
        self.outstanding = 0
        for thread in self._threads:
            thread.start()

    @property
    def idle(self) -> int:
        """How many more questions could be asked at once."""
        return len(self._threads) - self.outstanding

    def ask(self, token: Token, question: Callable[[], Any]) -> None:
        """Ask; a `StripeUnreachable` is asked again."""
        self.outstanding += 1
        self._questions.put((token, question))

    def answer(self, *, seconds_max: float) -> Answer[Token] | None:
        """The next answer; none if there is none in time."""
        try:
            found = self._answers.get(timeout=seconds_max)
        except queue.Empty:
            return None
        self.outstanding -= 1
        return found

    def close(self) -> None:
        """Ask nothing any more; what is on its way is left alone."""
        for _ in self._threads:
            self._questions.put(None)

    def _work(self) -> None:
        while (asked := self._questions.get()) is not None:
            token, question = asked
            self._answers.put(self._answered(token, question))

    def _answered(self, token: Token, question: Callable[[], Any]) -> Answer[Token]:
        unanswered = limited = 0
        while True:
            try:
                found = question()
            except StripeUnreachable as error:
                is_limited = isinstance(error, RateLimited)
                limited, unanswered = limited + is_limited, unanswered + (not is_limited)
                ends = isinstance(error, LimiterStopped)
                if ends or not self._goes_on(unanswered, limited):
                    return Answer(
                        token=token, found=None, error=error, retries=unanswered + limited
                    )
            except Exception as error:  # noqa: BLE001 - raised again by whoever asked
                return Answer(token=token, found=None, error=error, retries=unanswered + limited)
            else:
                return Answer(token=token, found=found, error=None, retries=unanswered + limited)

    def _goes_on(self, unanswered: int, limited: int) -> bool:
        """Pause before the next attempt, if there is one."""
        if unanswered >= ATTEMPTS_MAX or limited >= LIMITED_ATTEMPTS_MAX:
            return False
        # After a 429 the limiter holds requests back; the pause only spreads them.
        attempt = max(1, unanswered)
        pause_seconds = BACKOFF.pause_seconds(attempt=attempt, jitter=jitter())
        return not self._stop.wait(seconds=pause_seconds)
