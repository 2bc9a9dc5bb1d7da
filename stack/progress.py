"""What the person who waits sees: a spinner with the time on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import Progress as Bars
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

Detail = Callable[[str], None]


class Progress(Protocol):
    """Told of each step while it runs."""

    @contextmanager
    def step(self, text: str) -> Iterator[Detail]:
        """Show `text` while the block runs; what is yielded shows what happens just now."""
        ...


class Silent:
    """For tests and for commands that print something else."""

    @contextmanager
    def step(self, text: str) -> Iterator[Detail]:  # noqa: ARG002
        """Show nothing."""
        yield lambda _detail: None


class OnConsole:
    """Each step as a line: turning while it runs, with its seconds when it is done."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, text: str) -> Iterator[Detail]:
        """Show the step; an error leaves its line without a tick."""
        started = time.monotonic()
        if self._console.is_terminal:
            with self._turning(text) as detail:
                yield detail
        else:
            self._console.print(f"{text} ...", highlight=False)
            yield lambda _detail: None
        seconds = time.monotonic() - started
        self._console.print(f"[green]✓[/] {text} [dim]{seconds:.1f} s[/]", highlight=False)

    @contextmanager
    def _turning(self, text: str) -> Iterator[Detail]:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}"),
        )
        # Transient: the line with the tick takes its place.
        with Bars(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(text, total=None, detail="")
            yield lambda detail: bars.update(task, detail=detail)
