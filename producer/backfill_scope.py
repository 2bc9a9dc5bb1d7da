"""What a backfill is asked for, and how its cursors are named for it."""

from dataclasses import dataclass
from typing import Any, Final

from producer.backfill_items import Item
from producer.backfill_plan import Plan

GAP: Final = "gap"
"""Everything again, because events are gone: what an operator's run read before does not count."""
FINISHED: Final[dict[str, Any]] = {"finished": True}
"""A cursor from which the next run begins anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is wanted.

    Attributes:
        selection: names the chosen types in the cursor's key.
        since: `created` of the oldest object wanted.
        until: of the first one that is not wanted.
    """

    selection: str
    plan: Plan
    since: int | None
    until: int | None

    def key(self, account_id: str) -> str:
        """Of the account's cursor: another scope stands elsewhere."""
        return backfill_key(
            account_id, selection=self.selection, since=self.since, until=self.until
        )

    def wants(self, item: Item) -> bool:
        """Whether an object is in it; one that does not say when it was made always is."""
        if item.created is None:
            return True
        after = self.since is None or item.created >= self.since
        return after and (self.until is None or item.created < self.until)


def backfill_key(
    account_id: str, *, selection: str, since: int | None = None, until: int | None = None
) -> str:
    """The key of a backfill's cursor; the account is empty for the merchant's own."""
    begin, end = ("" if at is None else str(at) for at in (since, until))
    return f"backfill/{account_id or '-'}/{selection}/{begin}..{end}"
