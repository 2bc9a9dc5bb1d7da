"""Events that only Stripe can put in order: while they wait, the offset does not pass them."""

from collections import defaultdict

from producer.preparing import Candidate


class Ties:
    """The candidates that wait for their object to be fetched.

    **Invariant:** a partition's committed offset never passes a candidate that waits. After a
    crash it is read again; what was decided meanwhile is decided the same way again.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Candidate]] = defaultdict(list)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, candidate: Candidate) -> bool:
        """Let a candidate wait; whether its object was not waited for before."""
        known = self._waiting[candidate.name]
        known.append(candidate)
        return len(known) == 1

    def of(self, name: str) -> list[Candidate]:
        """The candidates of an object that wait."""
        return list(self._waiting.get(name, ()))

    def settle(self, name: str, *, before_second: int) -> list[Candidate]:
        """Take out the candidates of an object that are older than what was fetched."""
        waiting = self._waiting.pop(name, [])
        left = [one for one in waiting if one.observation.second >= before_second]
        if left:
            self._waiting[name] = left
        return [one for one in waiting if one.observation.second < before_second]

    def give_up(self, name: str) -> list[Candidate]:
        """Take out all candidates of an object, in the order of the inbox."""
        return self._waiting.pop(name, [])

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
