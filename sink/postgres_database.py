"""Postgres as the writer sees it: one session behind migrations, offsets, tables and rows."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sink.batch import Partition, Place
from sink.claims import Claim, Step
from sink.database import DeadRow, OpenLetters
from sink.death_rate import SPAN
from sink.load import Load
from sink.postgres import Connection, translated
from sink.postgres_migrations import migrate
from sink.postgres_offsets import Offsets
from sink.postgres_rows import Rows
from sink.postgres_tables import Tables
from sink.sql import query


class PostgresDatabase:
    """One session of one database; used by one thread.

    Args:
        url: as libpq reads it.
        schema: the Postgres schema of the merchant's own rows.
    """

    def __init__(self, url: str, *, schema: str) -> None:
        self._connection = Connection(url)
        self._schema = schema
        self._tables = Tables(self._connection)
        self._offsets = Offsets(self._connection, schema=schema)
        self._rows = Rows(
            self._connection, tables=self._tables, offsets=self._offsets, schema=schema
        )

    def migrate(self) -> list[str]:
        """Run the migrations that are missing; their names."""
        return migrate(self._connection)

    def claim(self, partitions: Collection[Partition]) -> dict[Partition, Claim]:
        """Fence off everybody else from these partitions, and learn where to begin.

        Their former owner may have widened the tables, so the tables are looked at again.
        """
        self._tables.forget()
        return self._offsets.claim(partitions)

    def lost(self, steps: Mapping[Partition, Step]) -> set[Partition]:
        """Those partitions that are claimed, or whose offset was moved, by somebody else."""
        return self._offsets.lost(steps)

    def write(
        self, load: Load, *, dead: Sequence[DeadRow], steps: Mapping[Partition, Step]
    ) -> dict[str, int]:
        """Write a load, its dead letters and offsets, or nothing; rows changed by table."""
        return self._rows.write(load, dead=dead, steps=steps)

    def strike_out(self, place: Place) -> None:
        """Take a dead letter out of the register, if it is there."""
        with translated():
            self._connection.session().execute(
                query("strike_out_dead_letter"),
                [self._schema, place.partition.topic, place.partition.number, place.offset],
            )

    def open_letters(self, next_offsets: Mapping[Partition, int]) -> dict[Partition, OpenLetters]:
        """What the register has of these partitions; those of which it has none are left out."""
        reasons: dict[Partition, dict[str, int]] = defaultdict(dict)
        lately: dict[Partition, list[int]] = defaultdict(list)
        with translated():
            rows = self._connection.session().execute(
                query("open_letters"),
                [
                    self._schema,
                    [partition.topic for partition in next_offsets],
                    [partition.number for partition in next_offsets],
                    list(next_offsets.values()),
                    SPAN,
                ],
            )
            for topic, number, reason, count, offsets in rows:
                reasons[Partition(topic, number)][reason] = count
                lately[Partition(topic, number)] += offsets
        return {
            partition: OpenLetters(reasons=counts, lately=tuple(lately[partition]))
            for partition, counts in reasons.items()
        }

    def look_again(self) -> None:
        """Forget what is known of the tables."""
        self._tables.forget()

    def close(self) -> None:
        """End the session; the next use opens a new one."""
        self._connection.close()
