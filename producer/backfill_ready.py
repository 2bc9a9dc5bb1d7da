"""Questions that wait for a thread, by the endpoint whose pace holds them back."""

from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

Place: TypeAlias = tuple[str, str]
"""An account and an endpoint: Stripe counts requests to it."""

Question = TypeVar("Question")


class Ready(Generic[Question]):
    """Questions in the order in which they are asked.

    What is below an object goes first, the newest first of all: the page that shows the object is
    open until it is done. But none is given out that would only wait for its endpoint: thousands
    of one endpoint would hold every thread, while others are free.
    """

    def __init__(self) -> None:
        self._below: dict[Place, deque[Question]] = {}
        self._roots: dict[Place, deque[Question]] = {}
        self._pending: Counter[Place] = Counter()

    def __bool__(self) -> bool:
        return bool(self._below or self._roots)

    def put(self, question: Question, place: Place, *, below: bool) -> None:
        """One more."""
        if below:
            self._below.setdefault(place, deque()).appendleft(question)
        else:
            self._roots.setdefault(place, deque()).append(question)

    def note_answer(self, place: Place) -> None:
        """One that was taken is answered."""
        self._pending[place] -= 1

    def take(self, has_room: Callable[[Place, int], bool]) -> tuple[Question, Place] | None:
        """The next one of those whose endpoint has room; none where none has.

        Args:
            has_room: is given an endpoint, and how many taken before are not answered yet.
        """
        for questions in (self._below, self._roots):
            for place, waiting in questions.items():
                if has_room(place, self._pending[place]):
                    self._pending[place] += 1
                    question = waiting.popleft()
                    if not waiting:
                        del questions[place]
                    return question, place
        return None
