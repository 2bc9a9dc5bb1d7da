"""The report of rebuilds and verifications, as a table to look at."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sink.rebuild import Report, TableReport
from sink.rebuild_tables import Finding

COLUMNS_SHOWN_MAX = 8
UNREADABLE_SHOWN_MAX = 20


def show(console: Console, reports: Sequence[Report], *, applied: bool) -> None:
    """Print what was found, a line for each table, and what needs more words below it."""
    table = Table(title="Put right" if applied else "Compared; nothing was changed")
    table.add_column("Table")
    for heading in ("Records", "Keys", "Same", "Missing", "Wrong", "Behind", "Ahead", "Extra"):
        table.add_column(heading, justify="right")
    table.add_column("Columns that differ")
    for report in reports:
        for one in report.tables:
            table.add_row(*_cells(report, one))
    console.print(table)
    for report in reports:
        _tell(console, report)


def summary_of(report: Report) -> str:
    """What was found, in a line."""
    found: Counter[Finding] = Counter()
    for one in report.tables:
        found.update(one.findings)
    told = [f"{count:,} {finding.value}" for finding, count in found.items() if count]
    if report.unreadable:
        told.append(f"{len(report.unreadable):,} records cannot be read")
    return f"{report.records:,} records; {', '.join(told) or 'all the same'}"


def _cells(report: Report, one: TableReport) -> list[str]:
    findings = (
        Finding.MISSING,
        Finding.WRONG,
        Finding.BEHIND,
        Finding.AHEAD,
        Finding.EXTRA,
    )
    counts = [report.records, one.keys, one.same]
    counts += [one.findings.get(finding, 0) for finding in findings]
    return [str(one.name), *(f"{count:,}" for count in counts), _columns(one)]


def _columns(one: TableReport) -> str:
    """The columns that differ most, with in how many rows they do."""
    ordered = sorted(one.changed.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{name} {count:,}" for name, count in ordered[:COLUMNS_SHOWN_MAX]]
    if len(ordered) > COLUMNS_SHOWN_MAX:
        told.append(f"and {len(ordered) - COLUMNS_SHOWN_MAX} more")
    return ", ".join(told)


def _tell(console: Console, report: Report) -> None:
    for one in report.tables:
        if one.columns_missing:
            console.print(
                f"{one.name} lacks the columns {', '.join(one.columns_missing)}; a rebuild, or "
                "the sink with the next record, adds them."
            )
        for sqlstate, rows in sorted(one.refused.items()):
            console.print(
                f"[red]{one.name}: {rows:,} rows could not be put right: SQLSTATE {sqlstate}.[/]"
            )
    if report.unreadable:
        console.print(
            f"[red]{report.table}: {len(report.unreadable):,} records cannot be read; the rows of "
            "their keys were left as they are.[/]"
        )
    for dead in report.unreadable[:UNREADABLE_SHOWN_MAX]:
        console.print(f"  partition {dead.partition}, offset {dead.offset}: {dead.reason}")
