"""The history of a table: every change with the time in which it was the newest.

`valid_to` and `changed` follow from the neighbours of a row, and are set for those rows alone that
a new one touches; so a replay, in any order, ends in the same table.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from schemas.meta import EVENT_AT, EXTRA, META_FIELDS
from sink.sql import query
from sink.tables import TableName, literal, quoted

VALID_FROM: Final = "valid_from"
VALID_TO: Final = "valid_to"
CHANGED: Final = "changed"
_OF_THE_CHANGE: Final = frozenset(META_FIELDS) - {EXTRA}
"""Columns that say something of the change, and nothing of the object."""


def history_statements(name: TableName) -> list[str]:
    """The statements that make a table of every change a history; safe to repeat."""
    event_at = quoted(EVENT_AT)
    columns = {
        VALID_FROM: "From when on the object was so.",
        VALID_TO: "Until when it was; null for what it is now.",
        CHANGED: "The columns that differ from the row before; null for the first.",
    }
    function = TableName(schema=name.schema, table=f"{name.table}_at")
    return [
        f"alter table {name.quoted} "
        f"add column if not exists {VALID_FROM} timestamptz "
        f"generated always as ({event_at}) stored, "
        f"add column if not exists {VALID_TO} timestamptz, "
        f"add column if not exists {CHANGED} text[]",
        *(
            f"comment on column {name.quoted}.{column} is {literal(comment)}"
            for column, comment in columns.items()
        ),
        query("history_at").format(function=function.quoted, history=name.quoted),
        f"comment on function {function.quoted} is "
        + literal(f"The rows of {name.table} as they were at that time."),
    ]


def link_statement(
    name: TableName, *, key: Sequence[str], columns: Iterable[str], stage: str
) -> str:
    """What sets `valid_to` and `changed` of new rows and of their neighbours.

    Args:
        key: the history's primary key; `_event_at` is its last.
        columns: that a row is compared with the one before by.
        stage: the table that the new rows came from.
    """
    objects = [column for column in key if column != EVENT_AT]

    def same(one: str, other: str) -> str:
        return " and ".join(f"{one}.{quoted(c)} = {other}.{quoted(c)}" for c in objects)

    return query("history_link").format(
        history=name.quoted,
        stage=stage,
        objects=", ".join(quoted(column) for column in objects),
        neighbour_objects=", ".join(f"neighbour.{quoted(column)}" for column in objects),
        other_staged=same("other", "staged"),
        mine_touched=same("mine", "touched"),
        earlier_mine=same("earlier", "mine"),
        later_mine=same("later", "mine"),
        columns=", ".join(literal(column) for column in columns if column not in _OF_THE_CHANGE),
    )
