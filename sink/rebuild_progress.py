"""What the person who waits for a rebuild sees: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class OnTerminal:
    """One bar for what is being done, with its rate and the time that is left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def reading(self, table: str, offsets: int) -> None:
        """Begin a bar over the topic's offsets."""
        self._begin(f"{table}: reading its topic", offsets)

    def passed(self, offsets: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._progress.advance(self._task, offsets)

    def comparing(self, table: str) -> None:
        """Show that Postgres is at work."""
        self._begin(f"{table}: comparing", None)

    def repairing(self, table: str, rows: int) -> None:
        """Begin a bar over the rows."""
        self._begin(f"{table}: putting rows right", rows)

    def _begin(self, text: str, total: int | None) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(text, total=total)


class InLines:
    """A line for each thing that is begun."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def reading(self, table: str, offsets: int) -> None:
        """Say how much is to be read."""
        self._console.print(f"{table}: reading {offsets:,} offsets of its topic", highlight=False)

    def passed(self, _offsets: int) -> None:
        """Say nothing: logs are not for bars."""

    def comparing(self, table: str) -> None:
        """Say that the topic is read."""
        self._console.print(f"{table}: comparing", highlight=False)

    def repairing(self, table: str, rows: int) -> None:
        """Say how much is to be done."""
        if rows:
            self._console.print(f"{table}: putting {rows:,} rows right", highlight=False)


@contextmanager
def watcher_on(console: Console) -> Iterator[OnTerminal | InLines]:
    """What fits the console."""
    if not console.is_terminal:
        yield InLines(console)
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        yield OnTerminal(progress)


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="dim")
