"""Questions that wait for a thread, by the endpoint whose pace holds them back."""

from collections import deque
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

    def __bool__(self) -> bool:
        return bool(self._below or self._roots)

    def put(self, question: Question, place: Place, *, below: bool) -> None:
        """One more."""
        if below:
            self._below.setdefault(place, deque()).appendleft(question)
        else:
            self._roots.setdefault(place, deque()).append(question)

    def take(self, has_room: Callable[[Place], bool]) -> tuple[Question, Place] | None:
        """The next one of those whose endpoint has room; none where none has."""
        for questions in (self._below, self._roots):
            for place, waiting in questions.items():
                if has_room(place):
                    question = waiting.popleft()
                    if not waiting:
                        del questions[place]
                    return question, place
        return None
