"""Takes a topic straight into empty tables: with nothing to compare, no shadow is needed."""

from collections.abc import Mapping
from typing import Protocol

from sink.errors import PostgresRefused
from sink.load import Load
from sink.patience import patiently
from sink.postgres import Connection
from sink.postgres_offsets import Offsets
from sink.postgres_rows import Rows
from sink.postgres_shadow import Shadow
from sink.postgres_tables import Tables


class Goal(Protocol):
    """What a topic is read into: a shadow, or the tables themselves."""

    def put(
        self, load: Load, *, reached: Mapping[int, int], next_offsets: Mapping[int, int]
    ) -> None:
        """Take in a load, and note how far its partitions were read.

        Raises:
            PostgresRefused: nothing was noted.
        """
        ...

    def refusal(self, load: Load) -> PostgresRefused | None:
        """Why Postgres does not take these rows; none if it does."""
        ...


class Straight:
    """The tables of one object, written under the guard as the sink writes them.

    Rows stand before it is noted how far the topic was read: who begins again finds rows, and
    compares.

    Args:
        connection: its session.
        shadow: keeps the progress; its working tables are not made.
        schema: the Postgres schema of the merchant's own rows.
    """

    def __init__(self, connection: Connection, *, shadow: Shadow, schema: str) -> None:
        self._shadow = shadow
        self._rows = Rows(
            connection,
            tables=Tables(connection),
            offsets=Offsets(connection, schema=schema),
            schema=schema,
        )

    def put(
        self, load: Load, *, reached: Mapping[int, int], next_offsets: Mapping[int, int]
    ) -> None:
        """Write a load; a row that is newer already stays.

        Raises:
            PostgresRefused: none of its rows was written.
            PostgresAway: it is unknown whether they were.
            TableDiffers: a table cannot take the rows.
            RebuildTaken: somebody else reads these partitions, too.
        """
        self._write(load)
        self._shadow.note(load, reached=reached, next_offsets=next_offsets)

    def refusal(self, load: Load) -> PostgresRefused | None:
        """Why Postgres does not take these rows; what it takes may as well stay."""
        try:
            self._write(load)
        except PostgresRefused as refused:
            return refused
        return None

    def _write(self, load: Load) -> None:
        patiently(lambda: self._rows.write(load, dead=(), steps={}))
