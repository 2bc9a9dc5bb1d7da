"""Where polling stands for one account, as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

RETENTION_SECONDS: Final = 30 * 86_400
"""How far back Stripe lists events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCursor:
    """Everything that Stripe listed of the seconds before `second` is in the inbox.

    Attributes:
        second: of Stripe's clock.
        backfill_due: whether events were missed for good, and no backfill has made up for them.
    """

    second: int
    backfill_due: bool = False

    def stored(self) -> dict[str, Any]:
        """As the cursors' topic holds it."""
        return {"second": self.second, "backfill_due": self.backfill_due}

    @classmethod
    def from_stored(cls, value: Mapping[str, Any]) -> "PollCursor":
        """What `stored` gave."""
        return cls(second=int(value["second"]), backfill_due=bool(value["backfill_due"]))

    def lost_touch(self, now_second: int) -> bool:
        """Whether Stripe has forgotten events that were never read."""
        return self.second < now_second - RETENTION_SECONDS


def cursor_key(account_id: str) -> str:
    """The key of an account's cursor; empty is the merchant's own."""
    return f"{_PREFIX}{account_id or _OWN}"


def poll_cursors(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, PollCursor]:
    """Account -> its cursor, out of all cursors that are stored."""
    return {
        "" if (account := key.removeprefix(_PREFIX)) == _OWN else account: PollCursor.from_stored(
            value
        )
        for key, value in stored.items()
        if key.startswith(_PREFIX)
    }


_PREFIX: Final = "poll/"
_OWN: Final = "-"
