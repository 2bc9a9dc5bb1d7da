"""Writes changes to a real Postgres as the sink does, without Kafka."""

from collections.abc import Iterable, Mapping
from typing import Any

from sink.batch import Batch, Partition, Record
from sink.loader import FEW_MAX
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import Workshop

TICKETS = Partition("t.ticket", 0)
MANY = FEW_MAX + 1


class Hand:
    """Claims one partition of one topic and writes batches of it.

    Args:
        database: where to.
        workshop: knows the schemas.
    """

    def __init__(
        self,
        database: PostgresDatabase,
        workshop: Workshop | None = None,
        *,
        partition: Partition = TICKETS,
    ) -> None:
        self._database = database
        self._workshop = workshop or Workshop()
        self._loader = self._workshop.loader()
        self._partition = partition
        self._offset = 0
        self.fence = database.claim({partition})[partition].fence

    def write(self, changes: Iterable[Mapping[str, Any]], *, schema_id: int = 1) -> dict[str, int]:
        """One transaction with these changes; rows changed by table."""
        records = self._workshop.records(
            changes,
            schema_id=schema_id,
            first_offset=self._offset,
            topic=self._partition.topic,
            partition=self._partition.number,
        )
        self._offset += len(records)
        return self.write_records(records)

    def write_records(self, records: Iterable[Record]) -> dict[str, int]:
        """One transaction with these records."""
        batch = Batch(records=list(records), fences={self._partition: self.fence})
        return self._database.write(self._loader.load(batch), dead=(), dead_in_a_row={})
