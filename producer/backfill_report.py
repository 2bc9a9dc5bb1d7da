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
        too_large: objects that are not stored, as no inbox record may be so large.
        pages: of its lists that were read.
        skipped: why lists of an account were not read -> how many of them.
        refused: the same of lists of single objects.
    """

    rows: int = 0
    requests: int = 0
    retries: int = 0
    began: float = 0.0
    ended: float = 0.0
    share: float | None = None
    cut: int = 0
    too_large: int = 0
    pages: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count a list of an account that was not read."""
        _count(self.skipped, reason)

    def refuse(self, reason: str) -> None:
        """Count a list of a single object that was not read."""
        _count(self.refused, reason)

    def begin(self) -> None:
        """Forget which lists were read, and which were not."""
        self.pages = 0
        self.skipped.clear()
        self.refused.clear()

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
    def too_large(self) -> int:
        """Of all types."""
        return sum(found.too_large for found in self.objects.values())

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
            if found.rows or found.skipped or found.refused or found.too_large:
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


def _count(reasons: dict[str, int], reason: str) -> None:
    if reason not in reasons and len(reasons) >= REASONS_MAX:
        # Stripe's words name the account, and there may be thousands of those.
        reason = OTHER_REASONS
    reasons[reason] = reasons.get(reason, 0) + 1


def _not_read(found: ObjectTally) -> str:
    lines = [
        f"{reason} ({count:,} lists)" if count > 1 else reason
        for reasons in (found.skipped, found.refused)
        for reason, count in reasons.items()
    ]
    if found.too_large:
        lines.append(f"{found.too_large:,} not stored: too large")
    if found.cut:
        lines.append(f"{found.cut:,} stored with the beginning of their lists only")
    return "\n".join(lines)
