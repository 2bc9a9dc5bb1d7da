"""What a backfill has done so far, per object type, and the table that tells it at the end."""

from dataclasses import dataclass, field
from typing import Final

from rich.table import Table

SAID_CHARACTERS_MAX: Final = 160
REASONS_MAX: Final = 5
OTHER_REASONS: Final = "for other reasons"


@dataclass(kw_only=True, slots=True)
class ObjectTally:
    """One object type.

    Attributes:
        rows: objects that were put into the inbox.
        requests: answers of Stripe.
        retries: requests that were made again.
        began, ended: in monotonic seconds.
        share: how much of it was read, from 0 to 1; none where that cannot be told.
        cut: objects that were stored with the beginning of a list only.
        skipped: why lists were not read -> how many of them.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    began: float = 0.0
    ended: float = 0.0
    share: float | None = None
    cut: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count a list that was not read."""
        if reason not in self.skipped and len(self.skipped) >= REASONS_MAX:
            # Stripe's words name the account, and there may be thousands of those.
            reason = OTHER_REASONS
        self.skipped[reason] = self.skipped.get(reason, 0) + 1

    @property
    def seconds(self) -> float:
        """How long it took, from its first to its last answer."""
        return self.ended - self.began


class Tally:
    """All object types, in the order in which they were begun."""

    def __init__(self) -> None:
        self.objects: dict[str, ObjectTally] = {}

    def of(self, object_name: str, *, now: float) -> ObjectTally:
        """The tally of a type, which is at work now."""
        found = self.objects.get(object_name)
        if found is None:
            found = self.objects[object_name] = ObjectTally(began=now)
        found.ended = now
        return found

    @property
    def rows(self) -> int:
        """Of all types."""
        return sum(found.rows for found in self.objects.values())

    @property
    def requests(self) -> int:
        """Of all types."""
        return sum(found.requests for found in self.objects.values())

    def table(self, *, seconds: float) -> Table:
        """What is shown at the end.

        Args:
            seconds: of the whole run.
        """
        table = Table(title="Backfill", title_justify="left")
        for name in ("object", "rows", "requests", "seconds"):
            table.add_column(name, justify="left" if name == "object" else "right")
        table.add_column("not read", overflow="fold")
        for name, found in sorted(self.objects.items()):
            if found.rows or found.skipped:
                table.add_row(
                    name,
                    f"{found.rows:,}",
                    f"{found.requests:,}",
                    f"{found.seconds:,.1f}",
                    _not_read(found),
                )
        table.add_section()
        table.add_row("all", f"{self.rows:,}", f"{self.requests:,}", f"{seconds:,.1f}", "")
        return table


def reason_told(reason: str, said: str) -> str:
    """Why something was skipped, in Stripe's words where it has some."""
    words = " ".join(said.split())
    if len(words) > SAID_CHARACTERS_MAX:
        words = f"{words[:SAID_CHARACTERS_MAX]}..."
    return f"{reason}: {words}" if words else reason


def _not_read(found: ObjectTally) -> str:
    lines = [
        f"{reason} ({count:,} lists)" if count > 1 else reason
        for reason, count in found.skipped.items()
    ]
    if found.cut:
        lines.append(f"{found.cut:,} stored with the beginning of their lists only")
    return "\n".join(lines)
