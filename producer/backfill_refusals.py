"""Lists of single objects that Stripe refuses: what is told of them, and when to ask no more."""

from typing import Final

from producer.backfill_report import reason_told
from producer.errors import StripeRefused

REFUSALS_MAX: Final = 20
"""Of a list below others, without any that was read: then it is not asked for any more."""


class Refusals:
    """What was refused of the lists below others, per account and list.

    One that is refused says nothing of the next one: Stripe refuses the persons of a Standard
    account, and shows those of an Express one.
    """

    def __init__(self) -> None:
        self._in_vain: dict[tuple[str, str], int] = {}
        self._read: set[tuple[str, str]] = set()
        self._closed: dict[tuple[str, str], str] = {}
        self._told: dict[tuple[str, str], str] = {}

    def note_read(self, account_id: str, path: str) -> None:
        """One of these lists was read: others may be."""
        place = (account_id, path)
        self._read.add(place)
        self._in_vain.pop(place, None)
        self._closed.pop(place, None)

    def note(self, account_id: str, path: str, refused: StripeRefused) -> str:
        """One was refused; the reason, in the words of the first that was refused like this."""
        place = (account_id, path)
        told = self._told.setdefault(
            (path, refused.reason), reason_told(refused.reason, refused.said)
        )
        if place not in self._read:
            in_vain = self._in_vain[place] = self._in_vain.get(place, 0) + 1
            if in_vain >= REFUSALS_MAX:
                self._closed[place] = told
        return told

    def closed_for(self, account_id: str, path: str) -> str:
        """Why these lists are not asked for any more; empty if they are."""
        return self._closed.get((account_id, path), "")
