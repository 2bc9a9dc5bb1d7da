"""Has things fetched for the candidates that wait, and tells what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from producer.preparing import Candidate
from producer.refetch import Fetched, Refetcher, Wish
from producer.ties import Ties
from producer.topics import INBOX_RECORD_BYTES_MAX
from producer.wishes import has_place, related_wish, wish_for
from runtime import metrics
from runtime.metrics import Meters
from schemas.inbox import Kind

WAITING_MAX: Final = 20_000
WAITING_BYTES_MAX: Final = 33_554_432
"""More than this is not kept waiting; a wish is some hundred bytes, a tie a whole event."""
FETCHED_BYTES_MAX: Final = INBOX_RECORD_BYTES_MAX - 65_536
"""The inbox takes no larger record, key and headers included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the fetches since the last time brought.

    Attributes:
        fetched: to be put into the inbox.
        settled: candidates for which what was fetched stands.
        by_arrival: candidates whose object Stripe does not show.
    """

    fetched: list[Fetched]
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

    @property
    def full(self) -> bool:
        """Whether no more should be read before some is settled."""
        return len(self._ties) >= WAITING_MAX or self._ties.value_bytes >= WAITING_BYTES_MAX

    def take_in(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Let candidates wait; those whose object cannot be asked for come back at once."""
        refused = []
        for candidate in candidates:
            wish = wish_for(candidate) if self._refetcher is not None else None
            if wish is None:
                self._count("no_endpoint")
                refused.append(candidate)
            else:
                self._wait(wish, candidate)
        return refused

    def answers(self) -> Answers:
        """What came since the last time."""
        found = Answers(fetched=[], settled=[], by_arrival=[])
        for fetched in self._refetcher.done() if self._refetcher is not None else ():
            # If none waits, its partition was given up meanwhile; its owner asks for itself.
            if self._ties.of(fetched.wish.name):
                self._take(fetched, found)
        return found

    def bounded(self, next_offsets: dict[int, int]) -> dict[int, int]:
        """The offsets that may be committed: none passes a candidate that waits."""
        return self._ties.bounded(next_offsets)

    def forget(self) -> None:
        """Forget all that waits: it will be read again."""
        self._ties.clear()
        if self._refetcher is not None:
            self._refetcher.forget()

    def _take(self, fetched: Fetched, found: Answers) -> None:
        wish, retrieved = fetched.wish, fetched.retrieved
        if retrieved is None:
            self._refuse(wish, fetched.refusal, found)
        elif len(retrieved.body) > FETCHED_BYTES_MAX:
            self._refuse(wish, "too_large", found)
        elif not has_place(fetched):
            self._refuse(wish, "gone" if retrieved.gone else "no_place", found)
        elif wish.of_event:
            self._count("fetched")
            found.fetched.append(fetched)
            found.settled.extend(self._ties.give_up(wish.name))
        else:
            self._count("gone" if retrieved.gone else "fetched")
            found.fetched.append(fetched)
            second = retrieved.observed_second
            found.settled.extend(self._ties.settle(wish.name, before_second=second))
            self._ask_again(wish.name)

    def _refuse(self, wish: Wish, reason: str, found: Answers) -> None:
        """Go on without what was asked for; where an event is not there, with its object."""
        self._count(reason)
        for candidate in self._ties.give_up(wish.name):
            instead = related_wish(candidate) if wish.of_event else None
            if instead is None:
                found.by_arrival.append(candidate)
            else:
                self._wait(instead, candidate)

    def _wait(self, wish: Wish, candidate: Candidate) -> None:
        assert self._refetcher is not None
        if self._ties.add(wish.name, candidate):
            self._refetcher.ask(wish)

    def _ask_again(self, name: str) -> None:
        left = self._ties.of(name)
        wish = _object_wish(left[-1]) if left else None
        if wish is not None and self._refetcher is not None:
            self._refetcher.ask(wish)

    def _count(self, outcome: str) -> None:
        self._meters.add(metrics.RELAY_REFETCHED, outcome=outcome)


def _object_wish(candidate: Candidate) -> Wish | None:
    """The candidate's object itself, whatever event goes with it."""
    if candidate.observation.kind is Kind.THIN_EVENT:
        return related_wish(candidate)
    return wish_for(candidate)
