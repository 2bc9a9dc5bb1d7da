"""What a reconcile found: per object in figures, and by the names of the columns that differed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from producer.verdict import DRIFT, Verdict
from runtime.errors import ExitCode


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was found about the objects of one type; counted while it is found.

    Attributes:
        untold: what of the type no event tells, in words.
        listed: objects that Stripe showed.
        compared: of those, the ones that were published before.
        verdicts: how many objects came to which end.
        unsaid: of the verdicts, how many objects came or went without an event's telling it.
        drift: column -> in how many objects it differed.
        missed: the same where that is a change that was missed.
        left_out: objects that no list shows and whose turn did not come: too many.
        failures: constant words for each list that failed or was cut short.
        passed_over: constant words for each list that Stripe does not show, where nothing was
            published either: the account does not use it.
    """

    object_name: str
    untold: str = ""
    listed: int = 0
    compared: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    unsaid: Counter[Verdict] = field(default_factory=Counter)
    drift: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def drifted(self) -> int:
        """Objects of which a change was missed that an event should have told."""
        return sum(self.verdicts[verdict] - self.unsaid[verdict] for verdict in DRIFT)

    @property
    def said(self) -> str:
        """What the figures do not say."""
        reasons = sorted((self.failures + self.passed_over).items())
        said = [f"{reason} ({count})" for reason, count in reasons]
        if self.left_out:
            said.append(f"{self.left_out} not looked at")
        columns = ", ".join(f"{name} {count}" for name, count in self.drift.most_common())
        if columns:
            said.append(f"differed: {columns}")
        if self.untold and (self.unsaid.total() or self.verdicts[Verdict.REFRESHED]):
            said.append(f"no event tells: {self.untold}")
        return "; ".join(said)


def exit_code(tallies: Sequence[Tally]) -> ExitCode:
    """What the command ends with: a failure counts more than a difference."""
    if any(tally.failures for tally in tallies):
        return ExitCode.FAILED
    if any(tally.drifted for tally in tallies):
        return ExitCode.DIFFERENCE_FOUND
    return ExitCode.OK


def report_lines(tallies: Sequence[Tally]) -> Iterator[str]:
    """A line per object, for logs and pipes."""
    for tally in tallies:
        figures = " ".join(f"{name}={value}" for name, value in _figures(tally).items())
        said = f" ({tally.said})" if tally.said else ""
        yield f"{tally.object_name}: {figures}{said}"


def report_table(tallies: Sequence[Tally], *, dry_run: bool) -> Table:
    """The same for a terminal."""
    table = Table(title="Reconcile, nothing written" if dry_run else "Reconcile")
    table.add_column("object")
    for name in _figures(Tally(object_name="")):
        table.add_column(name.replace("_", " "), justify="right")
    table.add_column("")
    for tally in tallies:
        style = "red" if tally.failures else "yellow" if tally.drifted else ""
        figures = [str(value) for value in _figures(tally).values()]
        table.add_row(tally.object_name, *figures, tally.said, style=style)
    return table


def _figures(tally: Tally) -> dict[str, int]:
    return {
        "listed": tally.listed,
        "compared": tally.compared,
        **{verdict.value: tally.verdicts[verdict] for verdict in Verdict},
    }
