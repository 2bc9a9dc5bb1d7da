"""Candidates that only Stripe can settle: while they wait, the offset does not pass them."""

from collections import defaultdict

from producer.preparing import Candidate


class Ties:
    """The candidates that wait for something to be fetched, by the name of the wish.

    **Invariant:** a partition's committed offset never passes a candidate that waits. After a
    crash it is read again; what was decided meanwhile is decided the same way again.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Candidate]] = defaultdict(list)
        self._value_bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    @property
    def value_bytes(self) -> int:
        """Of the inbox records that wait."""
        return self._value_bytes

    def add(self, name: str, candidate: Candidate) -> bool:
        """Let a candidate wait; whether nothing of that name was waited for before."""
        known = self._waiting[name]
        known.append(candidate)
        self._value_bytes += len(candidate.observation.value)
        return len(known) == 1

    def of(self, name: str) -> list[Candidate]:
        """The candidates that wait for a wish."""
        return list(self._waiting.get(name, ()))

    def settle(self, name: str, *, before_second: int) -> list[Candidate]:
        """Take out the candidates of a wish that are older than what was fetched."""
        waiting = self.give_up(name)
        for one in waiting:
            if one.observation.second >= before_second:
                self.add(name, one)
        return [one for one in waiting if one.observation.second < before_second]

    def give_up(self, name: str) -> list[Candidate]:
        """Take out all candidates of a wish, in the order of the inbox."""
        waiting = self._waiting.pop(name, [])
        self._value_bytes -= sum(len(one.observation.value) for one in waiting)
        return waiting

    def bounded(self, next_offsets: dict[int, int]) -> dict[int, int]:
        """The offsets that may be committed: none passes a candidate that waits."""
        found = dict(next_offsets)
        for waiting in self._waiting.values():
            for candidate in waiting:
                partition, offset = candidate.observation.partition, candidate.observation.offset
                if partition in found:
                    found[partition] = min(found[partition], offset)
        return found

    def clear(self) -> None:
        """Forget all: they will be read again."""
        self._waiting.clear()
        self._value_bytes = 0
