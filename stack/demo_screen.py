"""What the demo shows: the trial query's rows, what changed just now, and where everything is."""

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stack.demo_rows import Trial

CHANGES_SHOWN = 6
HINT = "Ctrl-C, or `stripeline stack down` elsewhere, stops all of it."
LOG_COLUMNS = 120


def console() -> Console:
    """The console of a command: the terminal's width, or one that fits the table in a log."""
    found = Console()
    return found if found.is_terminal else Console(width=LOG_COLUMNS)


def trials_table(trials: Iterable[Trial]) -> Table:
    """The rows of the trial query."""
    table = Table(title="The trial query, for each organisation", title_justify="left", box=SIMPLE)
    for name in ("organisation", "platform", "customer_id", "subscription_\nstatus"):
        table.add_column(name, overflow="fold")
    table.add_column("days_left_\nin_trial", justify="right")
    table.add_column("trial_end_date")
    for trial in trials:
        table.add_row(
            trial.organisation,
            trial.platform or "",
            trial.customer,
            trial.status or "",
            "" if trial.days_left is None else f"{trial.days_left:.4f}",
            "" if trial.ends is None else f"{trial.ends:%Y-%m-%d %H:%M}",
        )
    return table


def addresses_lines(addresses: Iterable[tuple[str, str]]) -> str:
    """Names and addresses, one pair a line; printed unbroken, they can be copied."""
    pairs = list(addresses)
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"  {name:<{width}}  {address}" for name, address in pairs)


class Screen:
    """A table that stays and changes on a terminal; plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._changes: deque[Text] = deque(maxlen=CHANGES_SHOWN)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        else:
            self._console.print(HINT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, trials: Iterable[Trial], *, change: str = "") -> None:
        """Show the rows as they are now, and the change that led to them."""
        if change:
            line = Text(f"{datetime.now(tz=UTC):%H:%M:%S}  {change}")
            self._changes.append(line)
            if self._live is None:
                self._console.print(line, soft_wrap=True)
        if self._live is not None:
            self._live.update(self._whole(trials), refresh=True)

    def _whole(self, trials: Iterable[Trial]) -> RenderableType:
        hint = Text(HINT, style="dim")
        return Group(trials_table(trials), *self._changes, hint)
