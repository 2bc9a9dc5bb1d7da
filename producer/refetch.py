"""Fetches objects that only Stripe can show or put in order, on threads of its own."""

import heapq
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from producer.errors import RateLimited, StripeRefused, StripeUnreachable
from producer.stripe_api import Retrieved
from runtime import logs
from runtime.clock import Clock
from runtime.errors import frames_of
from runtime.retry import Backoff, jitter

THREADS: Final = 4
WAIT_SECONDS_MAX: Final = 2.0
"""Stripe's clock is asked for again after so long at most, for a simulated one may be moved."""
WAIT_SECONDS_MIN: Final = 0.05
PASSED_OVER_MAX: Final = 20
"""Attempts at an object while Stripe answers for others: some minutes, then it holds none up."""
AHEAD_SECONDS_MAX: Final = 300
"""An event further ahead of Stripe's clock is a test clock's: its second may be years away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An object to be fetched.

    Attributes:
        name: of the object in the memory; wishes of one name are one.
        key: the record key.
        path: its address in Stripe's API.
        object_id: Stripe's id.
        after_second: what is fetched must be read in a later second of Stripe's clock.
        expand: fields that Stripe shows on request only.
        of_event: whether it is an event, and not an object.
        keyed_by_body: whether only what is fetched tells its record key.
        thin_event: the thin event that names it, if one does.
    """

    name: str
    key: str
    object_name: str
    path: str
    object_id: str
    account_id: str
    partition: int
    after_second: int
    expand: tuple[str, ...] = ()
    of_event: bool = False
    keyed_by_body: bool = False
    thin_event: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came of a wish.

    Attributes:
        retrieved: none if Stripe refuses to show the object.
        refusal: a constant word; empty if it was fetched.
    """

    wish: Wish
    retrieved: Retrieved | None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """A wish on its way.

    Attributes:
        number: of the attempt, the first being 1.
        passed_over: earlier ones without an answer, while others were answered.
        answers: how many there had been when the attempt before it ended.
    """

    wish: Wish
    number: int
    passed_over: int
    answers: int


class Retrieve(Protocol):
    """How an object is fetched; `StripeApi` does it."""

    def retrieve(
        self,
        *,
        path: str,
        object_name: str,
        object_id: str,
        account_id: str,
        expand: Sequence[str],
        whole: bool,
    ) -> Retrieved:
        """The object at an address of the API, as it is now, with its lists whole if asked for.

        Raises:
            StripeUnreachable: ask again later.
            StripeRefused: asking again changes nothing.
        """
        ...


class Refetcher:
    """Fulfils wishes in the background, for as long as an outage of Stripe may last.

    It is not an `Asking`: a wish that waits for its next attempt, for Stripe's clock or for the
    pace must not hold a thread, and an outage has no end after which somebody else decides.

    Args:
        per_second_max: requests to Stripe; the rest of Stripe's limit is for others.
    """

    def __init__(self, *, api: Retrieve, clock: Clock, per_second_max: float) -> None:
        self._api = api
        self._clock = clock
        self._pause_seconds = 1 / per_second_max
        self._backoff = Backoff(first_seconds=0.5, factor=2.0, pause_seconds_max=30.0)
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, _Attempt]] = []
        self._numbered = 0
        self._answers = 0
        self._next_request = 0.0
        self._done: deque[Fetched] = deque()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"refetch-{number}", daemon=True)
            for number in range(THREADS)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; wishes that are left are forgotten."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def ask(self, wish: Wish) -> None:
        """Fulfil a wish as soon as may be."""
        self._put(self._first(wish), seconds=0.0)

    def done(self) -> list[Fetched]:
        """What came of wishes since the last call."""
        found = []
        while self._done:
            found.append(self._done.popleft())
        return found

    def forget(self) -> None:
        """Drop all wishes that wait; those under way may still come back."""
        with self._changed:
            self._due.clear()

    def _first(self, wish: Wish) -> _Attempt:
        return _Attempt(wish=wish, number=1, passed_over=0, answers=self._answers)

    def _put(self, attempt: _Attempt, *, seconds: float) -> None:
        with self._changed:
            self._numbered += 1
            due = self._clock.monotonic_seconds() + seconds
            heapq.heappush(self._due, (due, self._numbered, attempt))
            self._changed.notify()

    def _work(self) -> None:
        while (attempt := self._taken()) is not None:
            try:
                self._fulfil(attempt)
            except Exception as error:  # noqa: BLE001 - whatever it is, others wait for the thread
                logs.logger("relay").error(
                    "fetching failed", error=type(error).__name__, stack=frames_of(error)
                )
                self._refuse(attempt.wish, "error")

    def _taken(self) -> _Attempt | None:
        """The next attempt that is due, at the pace that is allowed; none when stopped."""
        with self._changed:
            while not self._stopped:
                now = self._clock.monotonic_seconds()
                due = max(self._due[0][0], self._next_request) if self._due else None
                if due is not None and due <= now:
                    _, _, attempt = heapq.heappop(self._due)
                    self._next_request = now + self._pause_seconds
                    return attempt
                self._changed.wait(None if due is None else due - now)
        return None

    def _fulfil(self, attempt: _Attempt) -> None:
        wish = attempt.wish
        try:
            retrieved = self._api.retrieve(
                path=wish.path,
                object_name=wish.object_name,
                object_id=wish.object_id,
                account_id=wish.account_id,
                expand=wish.expand,
                whole=not wish.of_event,
            )
        except StripeUnreachable as error:
            self._ask_later(attempt, error)
        except StripeRefused as error:
            self._note_answer()
            self._refuse(wish, error.reason)
        else:
            self._note_answer()
            missing = wish.after_second + 1 - retrieved.observed_second
            if missing > AHEAD_SECONDS_MAX:
                self._refuse(wish, "clock_ahead")
            elif missing > 0:
                # Stripe's clock has not left the second: what was read may be older.
                seconds = min(max(missing, WAIT_SECONDS_MIN), WAIT_SECONDS_MAX)
                self._put(self._first(wish), seconds=seconds)
            else:
                self._done.append(Fetched(wish=wish, retrieved=retrieved))

    def _ask_later(self, attempt: _Attempt, error: StripeUnreachable) -> None:
        """Pause before the next attempt, if there is one.

        An outage is waited for, however long; one object of which Stripe cannot speak, while it
        speaks of others, would hold up its partition's offset for ever.
        """
        answers = self._answers
        alone = answers > attempt.answers and not isinstance(error, RateLimited)
        passed_over = attempt.passed_over + alone
        if passed_over >= PASSED_OVER_MAX:
            self._refuse(attempt.wish, "unanswered")
            return
        seconds = self._backoff.pause_seconds(
            attempt=attempt.number,
            jitter=jitter(),
        )
        later = replace(
            attempt, number=attempt.number + 1, passed_over=passed_over, answers=answers
        )
        self._put(later, seconds=seconds)

    def _note_answer(self) -> None:
        with self._changed:
            self._answers += 1

    def _refuse(self, wish: Wish, reason: str) -> None:
        self._done.append(Fetched(wish=wish, retrieved=None, refusal=reason))
