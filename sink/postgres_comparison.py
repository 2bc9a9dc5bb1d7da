"""A table compared with its shadow in Postgres, and put right in short transactions."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from sink.errors import Action, PostgresRefused, rule_of
from sink.load import WRITER
from sink.patience import Pause, patiently
from sink.postgres import Connection, translated
from sink.rebuild_tables import (
    Comparison,
    Finding,
    Working,
    drop_index_statement,
    newest_only_statements,
    shadow_statements,
)
from sink.sql import query
from sink.tables import TableName, quoted

REPAIR_ROWS_MAX: Final = 2_000
"""Rows in one transaction: nobody waits long for a lock, and the sink goes on between two."""
_DUPLICATE: Final = "23505"
SESSION: Final = """
-- Reading whole tables takes its time, and sorting and joining them some memory.
set statement_timeout to 0;
set work_mem to '256MB';
set maintenance_work_mem to '256MB';
do $$
begin
    -- A rebuild that is killed gives its locks back, also in the middle of a long statement.
    set client_connection_check_interval to '1s';
exception when invalid_parameter_value then
    -- This server's system cannot tell; it will notice at the statement's end.
end
$$;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of some differing rows.

    Attributes:
        rows: how many were looked at.
        refused: how many Postgres did not let us change, by SQLSTATE.
    """

    rows: int
    refused: Mapping[str, int]


class Comparer:
    """Compares one table with its shadow.

    Args:
        connection: its session; one that is used for nothing else.
        working: the table and its working tables.
        owner: the table of the merchant's own rows, under which progress is kept.
        pause: waits before something is tried again.
    """

    def __init__(
        self, connection: Connection, *, working: Working, owner: TableName, pause: Pause
    ) -> None:
        self._connection = connection
        self._pause = pause
        self._generation = 0
        self._working = working
        self._owner = owner

    def target_exists(self) -> bool:
        """Whether the table is there."""
        return self._exists(self._working.target)

    def target_rows(self) -> int:
        """How many rows the table has; 0 if it is not there."""
        if not self.target_exists():
            return 0
        return self._number(query("rebuild_table_rows").format(target=self._working.target.quoted))

    def target_is_empty(self) -> bool:
        """Whether the table has no row, or is not there."""
        if not self.target_exists():
            return True
        any_row = query("rebuild_any_row").format(target=self._working.target.quoted)
        return not self._number(any_row)

    def shadow_exists(self) -> bool:
        """Whether the topic had a record for this table."""
        return self._exists(self._working.shadow)

    def make_newest_only(self, comparison: Comparison) -> None:
        """Leave the last record of each key in the shadow, which is made where it is missing."""
        index, newest_only = newest_only_statements(self._working)
        session = self._session()
        with translated():
            for statement in shadow_statements(self._working, (*comparison.columns, WRITER)):
                session.execute(statement)
            session.execute(drop_index_statement(self._working))
        try:
            with translated():
                session.execute(index)
        except PostgresRefused as refused:
            if refused.sqlstate != _DUPLICATE:
                raise
            with translated():
                session.execute(newest_only)
                session.execute(index)
        with translated():
            # Rows are found by their key; a look at every column would take a second.
            key = ", ".join(quoted(name) for name in self._working.key)
            session.execute(f"analyze {self._working.shadow.quoted} ({key})")

    def let_more_in(self) -> None:
        """Make the shadow ready to take in more records."""
        with translated():
            self._session().execute(drop_index_statement(self._working))

    def compare(self, comparison: Comparison) -> Counter[Finding]:
        """Find every key whose row differs; how many there are of each finding."""
        patiently(lambda: self._differ(comparison), pause=self._pause)
        with translated():
            self._session().execute(
                comparison.unreadable_statement(), [self._owner.schema, self._owner.table]
            )
        return self._counts(comparison)

    def _differ(self, comparison: Comparison) -> None:
        session = self._session()
        with translated(), session.transaction():
            for statement in comparison.difference_statements():
                session.execute(statement)

    def explain(self, comparison: Comparison) -> Counter[Finding]:
        """Strike out what records that were read meanwhile explain; what is left."""
        with translated():
            self._session().execute(comparison.explained_statement())
        return self._counts(comparison)

    def _counts(self, comparison: Comparison) -> Counter[Finding]:
        with translated():
            rows = self._session().execute(comparison.counts_statement())
            return Counter({Finding(finding): count for finding, count in rows})

    def changed(self, comparison: Comparison) -> dict[str, int]:
        """In how many rows each column differs, for those columns that do."""

        def counts() -> Any:
            with translated():
                return self._session().execute(comparison.changed_statement()).fetchone()

        row = patiently(counts, pause=self._pause)
        assert row is not None
        return {
            name: count for name, count in zip(comparison.values, row, strict=True) if count > 0
        }

    def rows(self, comparison: Comparison) -> int:
        """How many keys the topic has."""
        return self._number(comparison.rows_statement())

    def repair(self, comparison: Comparison) -> Iterator[Repaired]:
        """Put every differing row right, some at a time, each time in a transaction.

        A row that cannot be changed (a foreign key holds it, a trigger refuses it) is counted and
        stays; the others go on.
        """
        for finding in Finding:
            yield from self._in_turn(comparison, finding, comparison.repair_statements(finding))

    def follow(self, comparison: Comparison) -> Iterator[Repaired]:
        """Give rows that had no record, or were ahead of it, what the shadow has by now."""
        for finding in (Finding.EXTRA, Finding.AHEAD):
            yield from self._in_turn(comparison, finding, comparison.follow_statements())

    def _in_turn(
        self, comparison: Comparison, finding: Finding, statements: Collection[str]
    ) -> Iterator[Repaired]:
        with translated():
            row = (
                self._session().execute(comparison.numbers_statement(), [finding.value]).fetchone()
            )
        assert row is not None
        first, last = row
        for start in range(first, last, REPAIR_ROWS_MAX):
            yield self._repaired(statements, start, min(start + REPAIR_ROWS_MAX, last))

    def _repaired(self, statements: Collection[str], start: int, end: int) -> Repaired:
        """Put right the rows whose numbers are above `start` and not above `end`."""
        try:
            patiently(lambda: self._put_right(statements, start, end), pause=self._pause)
        except PostgresRefused as refused:
            if rule_of(refused.sqlstate).action is not Action.DEAD_LETTER:
                raise
            if end - start == 1:
                return Repaired(rows=1, refused={refused.sqlstate: 1})
        else:
            return Repaired(rows=end - start, refused={})
        middle = (start + end) // 2
        halves = [
            self._repaired(statements, start, middle),
            self._repaired(statements, middle, end),
        ]
        refused_rows: Counter[str] = Counter()
        for half in halves:
            refused_rows.update(half.refused)
        return Repaired(rows=end - start, refused=refused_rows)

    def _put_right(self, statements: Collection[str], start: int, end: int) -> None:
        session = self._session()
        with translated(), session.transaction():
            for statement in statements:
                session.execute(statement, [start, end])

    def _number(self, statement: str) -> int:
        with translated():
            row = self._session().execute(statement).fetchone()
        assert row is not None
        return int(row[0])

    def _exists(self, name: TableName) -> bool:
        with translated():
            row = self._session().execute("select to_regclass($1)", [name.quoted]).fetchone()
        return row != (None,)

    def _session(self) -> "psycopg.Connection[Any]":
        session = self._connection.session()
        if self._generation != self._connection.generation:
            with translated():
                session.execute(SESSION)
            self._generation = self._connection.generation
        return session
