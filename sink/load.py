"""A load: what a batch of records says in rows, ready for Postgres."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.codec import BatchCodec
from sink.batch import Batch, Partition, Place, Record, place_of
from sink.tables import Column, TableName, TableShape, Transport

Fields = Sequence[bytes | None]
"""One row: each value in the binary format of its type; none is null."""

Form = tuple[TableName, tuple[int, ...], bool]
"""A table, the schemas that rows of it were written with, and whether they tell their writers."""

WRITER = Column(name="_schema_id", sql_type="bigint", transport=Transport.BIGINT)
"""Travels beside the row: which schema a record with `extra` was written with; else null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterSchema:
    """A schema that a record names, and what follows from it.

    Attributes:
        times: the columns that hold a time.
        decimals: the columns that hold a number as text.
    """

    schema_id: int
    shape: TableShape
    codec: BatchCodec = field(repr=False)
    times: tuple[str, ...]
    decimals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """What one batch has for one table: each key once, in the order of the keys.

    Attributes:
        name: the table.
        key: its primary key.
        writers: the schemas that these rows were written with; the table must fit all of them.
        columns: the columns of the rows, in their order.
        marked: whether `WRITER` travels with them, because the writers' columns differ.
        few: the rows, where they are few; empty otherwise.
        copy: the rows as a binary COPY, where they are many; empty otherwise.
        copied: the columns that it holds: those in which a row has a value.
        history: whether these are all changes, and not the last of each key.
    """

    name: TableName
    key: tuple[str, ...]
    writers: tuple[WriterSchema, ...]
    columns: tuple[Column, ...]
    few: Sequence[Fields] = field(repr=False)
    copy: Sequence[bytes] = field(repr=False)
    copied: Sequence[Column] = ()
    history: bool = False
    marked: bool = False

    @property
    def form(self) -> Form:
        """What its columns follow from."""
        return self.name, tuple(writer.schema_id for writer in self.writers), self.marked

    @property
    def staged(self) -> tuple[Column, ...]:
        """What travels."""
        return (*self.columns, WRITER) if self.marked else self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A record that cannot become a row, one constant word why, and where in the code."""

    record: Record
    reason: str
    stack: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A batch that is ready for Postgres.

    Attributes:
        batch: the records that it was made from.
        tables: what is written, in order: see `written_in_order`.
        dead: the records that cannot be read.
        consumed: how many records each topic gave.
        next_offsets: where reading goes on after it.
        received_at_oldest: when the oldest of them came into the inbox, microseconds; or none.
    """

    batch: Batch
    tables: tuple[TableRows, ...]
    dead: tuple[Dead, ...]
    consumed: Mapping[str, int]
    next_offsets: Mapping[Partition, int]
    received_at_oldest: int | None


def places(dead: Iterable[Dead]) -> frozenset[Place]:
    """Where dead records stand."""
    return frozenset(place_of(one.record) for one in dead)
