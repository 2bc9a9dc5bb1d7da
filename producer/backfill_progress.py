"""What a person sees of a backfill: bars on a terminal, now and then a line elsewhere."""

from collections.abc import Callable
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from producer.backfill_report import ObjectTally, Tally
from runtime.clock import Clock

SHOWN_SECONDS: Final = 0.25
LINE_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 5.0
"""A type of which nothing was heard for so long is not shown as at work."""
SHARE_MIN: Final = 0.02
"""Of less than this the time left cannot be told."""


class Shown(Protocol):
    """Whatever shows the tally."""

    def show(self) -> None:
        """Show it, if it is time to; called many times a second."""
        ...

    def close(self) -> None:
        """Show nothing any more."""
        ...


class Bars:
    """A bar for each object type that is at work."""

    def __init__(self, *, tally: Tally, console: Console, clock: Clock) -> None:
        self._tally = tally
        self._clock = clock
        self._due = Pace(clock, SHOWN_SECONDS)
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description:32}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[told]}"),
            console=console,
            transient=True,
        )
        self._bars.start()

    def show(self) -> None:
        """Move the bars, and hide those of types that are done."""
        if not self._due():
            return
        now = self._clock.monotonic_seconds()
        for name, found in self._tally.objects.items():
            task = self._tasks.get(name)
            if task is None:
                task = self._tasks[name] = self._bars.add_task(name, total=None, told="")
            self._bars.update(
                task,
                total=None if found.share is None else 1.0,
                completed=found.share or 0.0,
                told=told(found),
                visible=is_at_work(found, now),
            )

    def close(self) -> None:
        """Take the bars away."""
        self._bars.stop()


class Lines:
    """A line for each object type at work, every few seconds; for logs and pipes."""

    def __init__(self, *, tally: Tally, print_line: Callable[[str], None], clock: Clock) -> None:
        self._tally = tally
        self._print_line = print_line
        self._clock = clock
        self._due = Pace(clock, LINE_SECONDS)

    def show(self) -> None:
        """Print where each type stands."""
        if not self._due():
            return
        now = self._clock.monotonic_seconds()
        for name, found in self._tally.objects.items():
            if is_at_work(found, now):
                self._print_line(f"{name}: {told(found)}")

    def close(self) -> None:
        """Nothing is left to take away."""


class Pace:
    """Whether it is time again."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._next = clock.monotonic_seconds() + seconds

    def __call__(self) -> bool:
        """True once per period."""
        now = self._clock.monotonic_seconds()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


def is_at_work(found: ObjectTally, now: float) -> bool:
    """Whether a type is being read."""
    return found.share != 1.0 and now - found.ended < QUIET_SECONDS


def told(found: ObjectTally) -> str:
    """Rows, rate and time left of one type."""
    if not found.rows:
        return f"{found.requests:,} requests"
    per_second = found.rows / found.seconds if found.seconds > 0 else 0.0
    words = [f"{found.rows:,} rows", f"{per_second:,.0f}/s"]
    if found.share is not None and SHARE_MIN < found.share < 1:
        words.append(f"{_minutes(found.seconds * (1 - found.share) / found.share)} left")
    return ", ".join(words)


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
