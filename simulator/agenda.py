"""What will happen by itself, and when: trials end, periods renew, invoices come due."""

import heapq
from dataclasses import dataclass
from enum import StrEnum


class Due(StrEnum):
    """The kinds of things that come due."""

    TRIAL_WILL_END = "trial_will_end"
    TRIAL_ENDS = "trial_ends"
    INVOICE_UPCOMING = "invoice_upcoming"
    PERIOD_ENDS = "period_ends"
    CANCELS = "cancels"
    PAUSE_ENDS = "pause_ends"
    INCOMPLETE_EXPIRES = "incomplete_expires"
    INVOICE_FINALIZES = "invoice_finalizes"
    PAYMENT_RETRIES = "payment_retries"
    INVOICE_OVERDUE = "invoice_overdue"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Entry:
    """One thing to do. Whether it still applies is judged when it comes due."""

    at: int
    sequence: int
    due: Due
    identifier: str
    account: str


class Agenda:
    """Entries by time, then by the order they were noted in."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._sequence = 0

    def note(self, *, at: int, due: Due, identifier: str, account: str) -> None:
        """Something is to happen to an object of `account` at the unix time `at`."""
        self._sequence += 1
        entry = Entry(
            at=at, sequence=self._sequence, due=due, identifier=identifier, account=account
        )
        heapq.heappush(self._entries, entry)

    def next_at(self) -> int | None:
        """When the first entry comes due."""
        return self._entries[0].at if self._entries else None

    def take(self, *, until: int) -> Entry | None:
        """The first entry that is due at `until`, taken off."""
        if self._entries and self._entries[0].at <= until:
            return heapq.heappop(self._entries)
        return None
