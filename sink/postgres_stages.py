"""Stages: temporary tables that many rows are copied into, each made once in a session."""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from sink.load import Form, TableRows
from sink.tables import Column, TableName, Transport, quoted

_TEMPLATE: Final = "stage_template"
_OF_ANY_LENGTH: Final = frozenset({Transport.TEXT, Transport.JSONB})


class RowTooLong(Exception):
    """A row does not fit into a page, nor so into its stage; from now on it has another one."""


class Stages:
    """The stages of a session.

    A commit that has touched one of them empties all of them, and that takes Postgres ten times as
    long for one that has a table of long values beside it. So they have none: their texts are
    stored as they are. A row that is longer than a page does not fit then; only a table that such
    a row was seen of gets a stage with both.
    """

    def __init__(self) -> None:
        self._names: dict[tuple[Form, bool], str] = {}
        self._long: set[TableName] = set()

    def forget(self) -> None:
        """The session is another one, which has none of them yet."""
        self._names.clear()

    def filled(
        self, session: psycopg.Connection[Any], tables: Sequence[TableRows]
    ) -> dict[TableName, str]:
        """Begin a transaction, and copy the tables' rows each into its stage.

        Returns: the stages by table.

        Raises:
            RowTooLong: try again.
        """
        stages = {table.name: self._stage(session, table) for table in tables}
        session.execute("begin")
        for table in tables:
            try:
                _copy(session, table, stages[table.name])
            except psycopg.errors.ProgramLimitExceeded as error:
                if table.name in self._long:
                    raise
                self._long.add(table.name)
                # The cause is cut off: its text may repeat a row's values.
                raise RowTooLong(error.sqlstate) from None
        return stages

    def _stage(self, session: psycopg.Connection[Any], table: TableRows) -> str:
        plain = table.name not in self._long
        stage = self._names.get((table.form, plain))
        if stage is not None:
            return stage
        lines = ", ".join(
            f"{quoted(column.name)} {column.transport.value}" for column in table.staged
        )
        stage = f"stage_{zlib.crc32(f'{table.name} {lines} {plain}'.encode()):08x}"
        # Another schema with the same columns has the same stage.
        if stage not in self._names.values():
            with session.pipeline():
                session.execute("begin")
                for statement in _made(stage, lines, table.staged, plain=plain):
                    session.execute(statement)
                session.execute("commit")
        self._names[table.form, plain] = stage
        return stage


def _made(stage: str, lines: str, columns: Sequence[Column], *, plain: bool) -> list[str]:
    """What makes a stage.

    A table that is made with texts has its table of long values from the beginning, whatever is
    altered later; one that is made like another has its storage, and what that needs.
    """
    kept = "on commit delete rows"
    if not plain:
        return [f"create temporary table {stage} ({lines}) {kept}"]
    stored = ", ".join(
        f"alter column {quoted(column.name)} set storage plain"
        for column in columns
        if column.transport in _OF_ANY_LENGTH
    )
    return [
        f"create temporary table {_TEMPLATE} ({lines}) on commit drop",
        f"alter table {_TEMPLATE} {stored}",
        f"create temporary table {stage} (like {_TEMPLATE} including storage) {kept}",
    ]


def _copy(session: psycopg.Connection[Any], table: TableRows, stage: str) -> None:
    names = ", ".join(quoted(column.name) for column in table.copied)
    with session.cursor().copy(
        f"copy pg_temp.{stage} ({names}) from stdin (format binary)"
    ) as copy:
        for chunk in table.copy:
            copy.write(chunk)
