"""A rebuild's working tables, and the statements that compare a table with its shadow.

The shadow holds what the topic says, in the types in which values travel; it is unlogged, and so
is how far it was read: a crash of Postgres empties both together, and a rebuild begins again.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from schemas.meta import EVENT_AT
from sink.load import WRITER, WriterSchema
from sink.out_of_extra import said_values
from sink.sql import query
from sink.tables import (
    DELETED_AT,
    Column,
    Guard,
    TableName,
    deleted_at,
    literal,
    quoted,
    upsert_sql,
)

PREFIX: Final = "_rebuild"
TABLE_CHARACTERS_MAX: Final = 40


class Finding(StrEnum):
    """How a row differs from the last record of its key."""

    MISSING = "missing"
    """There is a record and no row."""
    EXTRA = "extra"
    """There is a row and no record."""
    WRONG = "wrong"
    """The row has the record's time and other values."""
    BEHIND = "behind"
    """The row is older than the record."""
    AHEAD = "ahead"
    """The row claims to be newer than the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The working tables of one rebuild of one table.

    Attributes:
        target: the table that is compared.
        key: its primary key.
    """

    target: TableName
    key: tuple[str, ...]

    @property
    def shadow(self) -> TableName:
        """What the topic says."""
        return self._named("rows")

    @property
    def difference(self) -> TableName:
        """The keys whose row differs, numbered by finding, and then in the order of the keys."""
        return self._named("difference")

    def _named(self, what: str) -> TableName:
        table = self.target.table
        if len(table) > TABLE_CHARACTERS_MAX:
            table = f"{table[: TABLE_CHARACTERS_MAX - 9]}_{zlib.crc32(table.encode()):08x}"
        return TableName(schema=self.target.schema, table=f"{PREFIX}_{table}_{what}")


def shadow_statements(working: Working, columns: Iterable[Column]) -> list[str]:
    """The statements that make a shadow, or widen it to these columns; safe to repeat."""
    shadow = working.shadow.quoted
    lines = [f"{quoted(column.name)} {column.transport.value}" for column in columns]
    return [
        f"create unlogged table if not exists {shadow} ()",
        f"alter table {shadow} " + ", ".join(f"add column if not exists {line}" for line in lines),
        f"comment on table {shadow} is "
        + literal(f"Of a rebuild of {working.target}; may be dropped while none runs."),
    ]


def newest_only_statements(working: Working) -> tuple[str, str]:
    """The index that needs each key once, and what removes the older records where it fails."""
    shadow = working.shadow.quoted
    return (
        f"create unique index {quoted(_index(working))} on {shadow} ({_listed(working.key)})",
        query("rebuild_newest").format(
            shadow=shadow, same=_same("older", "newer", key=working.key)
        ),
    )


def drop_index_statement(working: Working) -> str:
    """What lets older records in again, before more is read."""
    name = TableName(schema=working.target.schema, table=_index(working))
    return f"drop index if exists {name.quoted}"


def _index(working: Working) -> str:
    return f"{working.shadow.table}_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is compared: the columns that the sink keeps, as the records fill them.

    Attributes:
        columns: those of the shadow, with their types in the table.
        kept: all that the sink keeps in the table, with their types.
        writers: the schemas of the records.
    """

    working: Working
    columns: tuple[Column, ...]
    kept: Mapping[str, str]
    writers: tuple[WriterSchema, ...]

    @property
    def values(self) -> dict[str, str]:
        """For each compared column of the table, what the record says, as SQL over `staged`."""
        said = self._said()
        return {**said, DELETED_AT: deleted_at(said)}

    def _said(self) -> dict[str, str]:
        transported = {
            column.name: f"staged.{quoted(column.name)}" for column in (*self.columns, WRITER)
        }
        return said_values(
            self.columns, kept=self.kept, writers=self.writers, transported=transported
        )

    def difference_statements(self) -> list[str]:
        """The statements that find every key whose row differs."""
        key, difference = self.working.key, self.working.difference.quoted
        either_key = [f"coalesce(staged.{quoted(name)}, mine.{quoted(name)})" for name in key]
        columns = [name for name in self.values if name not in key and name != EVENT_AT]
        names = ", ".join(f"{quoted(name)} text" for name in key)
        return [
            f"drop table if exists {difference}",
            f"create unlogged table {difference} (number bigint generated always as identity "
            f"primary key, {names}, finding text not null, row_at timestamptz)",
            self._query(
                "difference",
                key=_listed(key),
                either_key=", ".join(either_key),
                same=_same("staged", "mine", key=key),
                columns=", ".join(f"mine.{quoted(name)}" for name in columns),
                values=", ".join(self.values[name] for name in columns),
                places=", ".join(f'{name} collate "C"' for name in either_key),
            ),
            f"analyze {difference}",
        ]

    def explained_statement(self) -> str:
        """What strikes out rows that a record from behind the first end has made newer."""
        return self._query("explained", same=self._found_as("staged"))

    def unreadable_statement(self) -> str:
        """What strikes out rows whose last record may be one that could not be read.

        `$1` is the Postgres schema of the merchant's own rows, `$2` the table.
        """
        parts = [f"found.{quoted(name)}" for name in self.working.key]
        return self._query("unreadable", record_key=" || '/' || ".join(parts))

    def counts_statement(self) -> str:
        """How many keys there are of each finding."""
        return self._query("counts")

    def rows_statement(self) -> str:
        """How many keys the topic has."""
        return self._query("rows")

    def numbers_statement(self) -> str:
        """Above which number and up to which the keys of a finding stand; `$1` is the finding."""
        return self._query("numbers")

    def changed_statement(self) -> str:
        """In how many rows each column differs, in the order of `values`."""
        counts = [
            f"count(*) filter (where mine.{quoted(name)} is distinct from {value})"
            for name, value in self.values.items()
        ]
        return self._query(
            "changed",
            counts=", ".join(counts),
            staged_same=self._found_as("staged"),
            mine_same=self._found_as("mine"),
        )

    def repair_statements(self, finding: Finding) -> list[str]:
        """What puts rows of one finding right, whose numbers are above `$1` and not above `$2`.

        A row that has no record, or is ahead of it, is touched only as it was seen: what the sink
        wrote meanwhile stays. Every statement takes its locks in the order of the numbers.
        """
        same, staged_same = self._found_as("mine"), self._found_as("staged")
        # Neither a delete nor an update says in which order it goes.
        lock = self._query("lock", same=same)
        match finding:
            case Finding.EXTRA:
                return [lock, self._query("remove", same=same)]
            case Finding.AHEAD:
                set_back = self._query("set_back", same=same, staged_same=staged_same)
                return [lock, set_back, self._upsert(staged_same)]
            case Finding.MISSING | Finding.WRONG | Finding.BEHIND:
                return [self._upsert(staged_same)]
            case _:
                assert_never(finding)

    def follow_statements(self) -> list[str]:
        """What gives rows the newest record of the shadow, where it has one."""
        return [self._upsert(self._found_as("staged"))]

    def _upsert(self, staged_same: str) -> str:
        return upsert_sql(
            self.working.target,
            key=self.working.key,
            values=self._said(),
            source=self._query("staged", staged_same=staged_same),
            guard=Guard.NOT_OLDER,
        )

    def _found_as(self, other: str) -> str:
        return _same("found", other, key=self.working.key)

    def _query(self, name: str, **parts: str) -> str:
        working = self.working
        return query(f"rebuild_{name}").format(
            target=working.target.quoted,
            shadow=working.shadow.quoted,
            difference=working.difference.quoted,
            **parts,
        )


def comparison_of(
    working: Working, writers: Sequence[WriterSchema], *, kept: Mapping[str, str]
) -> Comparison:
    """What is compared where the table keeps these columns.

    Args:
        writers: the schemas of the records.
        kept: the columns of the table that are the sink's, with their types.
    """
    columns = columns_of(writers)
    return Comparison(
        working=working,
        columns=tuple(column for name, column in columns.items() if name in kept),
        kept=kept,
        writers=tuple(writers),
    )


def columns_of(writers: Iterable[WriterSchema]) -> dict[str, Column]:
    """What records of these schemas have, by name."""
    return {column.name: column for one in writers for column in one.shape.columns}


def _same(one: str, other: str, *, key: Sequence[str]) -> str:
    return " and ".join(f"{one}.{quoted(name)} = {other}.{quoted(name)}" for name in key)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
