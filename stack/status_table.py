"""`stack status` as a table."""

import os
from collections.abc import Iterable
from typing import assert_never

from rich.box import SIMPLE
from rich.table import Table

from stack.local import Standing, State


def status_table(title: str, standings: Iterable[Standing]) -> Table:
    """One line for each program: how it stands, its process, its address, its log."""
    table = Table("program", "state", "process", title=title, title_justify="left", box=SIMPLE)
    table.add_column("address", overflow="fold")
    table.add_column("log", overflow="fold")
    for standing in standings:
        table.add_row(
            standing.name,
            f"[{_colour(standing.state)}]{standing.state.value}[/]",
            "" if standing.pid is None else str(standing.pid),
            standing.address,
            "" if standing.log is None else os.path.relpath(standing.log),
        )
    return table


def _colour(state: State) -> str:
    match state:
        case State.RUNNING | State.GIVEN:
            return "green"
        case State.STOPPED:
            return "dim"
        case State.UNREACHABLE:
            return "red"
        case _:
            assert_never(state)
