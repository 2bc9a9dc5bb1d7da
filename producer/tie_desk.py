"""Has objects fetched for the candidates that wait, and tells what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from producer.preparing import Candidate
from producer.refetch import Fetched, Refetcher
from producer.ties import Ties
from producer.wishes import wish_for
from runtime import metrics
from runtime.metrics import Meters


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the fetches since the last time brought.

    Attributes:
        snapshots: to be put into the inbox.
        settled: candidates for which a snapshot stands.
        by_arrival: candidates whose object Stripe does not show.
    """

    snapshots: list[Fetched]
    settled: list[Candidate]
    by_arrival: list[Candidate]


class TieDesk:
    """The candidates that wait for Stripe; without a refetcher none ever does."""

    def __init__(self, *, refetcher: Refetcher | None, meters: Meters) -> None:
        self._refetcher = refetcher
        self._meters = meters
        self._ties = Ties()

    def __len__(self) -> int:
        return len(self._ties)

    def take_in(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Let candidates wait; those whose object cannot be asked for come back at once."""
        refused = []
        for candidate in candidates:
            wish = wish_for(candidate) if self._refetcher is not None else None
            if wish is None or self._refetcher is None:
                self._count("no_endpoint")
                refused.append(candidate)
            elif self._ties.add(candidate):
                self._refetcher.ask(wish)
        return refused

    def answers(self) -> Answers:
        """What came since the last time."""
        found = Answers(snapshots=[], settled=[], by_arrival=[])
        for fetched in self._refetcher.done() if self._refetcher is not None else ():
            if not self._ties.of(fetched.wish.name):
                # Its partition was given up meanwhile; whoever owns it now asks for itself.
                continue
            if fetched.retrieved is None:
                self._count(fetched.refusal)
                found.by_arrival.extend(self._ties.give_up(fetched.wish.name))
                continue
            self._count("gone" if fetched.retrieved.gone else "fetched")
            found.snapshots.append(fetched)
            second = fetched.retrieved.observed_second
            found.settled.extend(self._ties.settle(fetched.wish.name, before_second=second))
            self._ask_again(fetched.wish.name)
        return found

    def bounded(self, next_offsets: dict[int, int]) -> dict[int, int]:
        """The offsets that may be committed: none passes a candidate that waits."""
        return self._ties.bounded(next_offsets)

    def forget(self) -> None:
        """Forget all that waits: it will be read again."""
        self._ties.clear()
        if self._refetcher is not None:
            self._refetcher.forget()

    def _ask_again(self, name: str) -> None:
        left = self._ties.of(name)
        wish = wish_for(left[-1]) if left else None
        if wish is not None and self._refetcher is not None:
            self._refetcher.ask(wish)

    def _count(self, outcome: str) -> None:
        self._meters.add(metrics.RELAY_REFETCHED, outcome=outcome)
