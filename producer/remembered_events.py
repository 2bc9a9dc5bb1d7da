"""Which events were written already: what makes reading the same minutes again cost nothing."""

from collections import OrderedDict
from typing import Final

EVENTS_MAX: Final = 500_000
"""Some 100 MB. Beyond it the oldest are forgotten: written again, and dropped by the relay."""


class RememberedEvents:
    """The newest events of all accounts, in the order in which they were written."""

    def __init__(self, *, events_max: int = EVENTS_MAX) -> None:
        self._events_max = events_max
        # A plain dict walks over all that was ever taken from its front.
        self._seconds: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, name: str) -> bool:
        return name in self._seconds

    def __len__(self) -> int:
        return len(self._seconds)

    def add(self, name: str, *, second: int) -> None:
        """The event is in the inbox.

        Args:
            name: tells it from all events of all accounts.
            second: when Stripe made it.
        """
        self._seconds[name] = second
        if len(self._seconds) > self._events_max:
            self._seconds.popitem(last=False)

    def forget_before(self, second: int) -> None:
        """Forget what was made before, up to the first that was not.

        Events are written nearly in the order in which they were made: what is left goes soon.
        """
        while self._seconds:
            name, made = self._seconds.popitem(last=False)
            if made >= second:
                self._seconds[name] = made
                self._seconds.move_to_end(name, last=False)
                return
