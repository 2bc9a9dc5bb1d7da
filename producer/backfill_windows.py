"""Windows: parts of a list, by `created`, that are not read yet; how one is split in two."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

STRIPE_BEGAN: Final = 1_293_840_000
"""2011: nothing in Stripe was made before."""
SPAN_SECONDS_MIN: Final = 2
"""A second cannot be split: there is no finer filter than `created`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What is left to read of a list, newest first.

    Attributes:
        since: `created` of the oldest object in it, at the earliest; none where there is no limit.
        until: of the first object beyond it; none where there is no limit.
        after: id of the last object that was read; empty before the first.
        reached: `created` of that object; none where it is not known.
    """

    since: int | None = None
    until: int | None = None
    after: str = ""
    reached: int | None = None

    def parameters(self) -> dict[str, str]:
        """As Stripe's list takes them."""
        found = {}
        if self.since is not None:
            found["created[gte]"] = str(self.since)
        if self.until is not None:
            found["created[lt]"] = str(self.until)
        if self.after:
            found["starting_after"] = self.after
        return found

    def holds(self, created: int | None) -> bool:
        """Whether an object that was listed is not older than the window."""
        return self.since is None or created is None or created >= self.since

    def beyond(self, after: str, reached: int | None) -> "Window":
        """What is left after a page whose last object this is."""
        return replace(self, after=after, reached=reached if reached is not None else self.reached)

    def without_cursor(self) -> "Window":
        """The same for a cursor whose object is gone: some objects will be read again."""
        until = self.until if self.reached is None else self.reached + 1
        return replace(self, until=until, after="", reached=None)

    def split(self, *, oldest: int) -> "tuple[Window, Window] | None":
        """The newer and the older half, by time; none where there is nothing to split.

        What was read lies in the newer half, so its cursor stays good. Where most objects lie in
        one half, the other ends at once and this one is split again: halving finds any crowd in
        as many steps as its place has digits.

        Args:
            oldest: second before which nothing is expected; what is there is read all the same.
        """
        if self.reached is None:
            return None
        low = self._low(oldest, self.reached)
        span = self.reached - low
        if span < SPAN_SECONDS_MIN:
            return None
        middle = self.reached - span // 2
        return replace(self, since=middle), Window(since=self.since, until=middle)

    def seconds_left(self, *, oldest: int, newest: int) -> int:
        """How much time it spans."""
        high = self.reached if self.reached is not None else self.until
        high = newest if high is None else high
        return max(0, high - self._low(oldest, high))

    def _low(self, oldest: int, reached: int) -> int:
        """Where it ends, as far as that is known."""
        if self.since is not None:
            return self.since
        return oldest if oldest < reached else STRIPE_BEGAN

    def as_json(self) -> dict[str, Any]:
        """As a cursor holds it."""
        found = {"since": self.since, "until": self.until, "reached": self.reached}
        shown: dict[str, Any] = {name: at for name, at in found.items() if at is not None}
        return {**shown, "after": self.after} if self.after else shown

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Window":
        """What `as_json` made."""
        return cls(**value)
