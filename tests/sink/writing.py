"""Writes changes to a real Postgres as the sink does, without Kafka."""

from collections.abc import Iterable, Mapping
from typing import Any

from sink.batch import Batch, Partition, Record
from sink.claims import Step
from sink.load import Load
from sink.loader import FEW_MAX
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import Held, Workshop

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
        self._claim = database.claim({partition})[partition]
        self._offset = self._reached = self._claim.next_offset

    def write(self, changes: Iterable[Mapping[str, Any]], *, schema_id: int = 1) -> dict[str, int]:
        """One transaction with these changes; rows changed by table."""
        records = self.records(changes, schema_id=schema_id)
        return self.write_records(records) if records else {}

    def records(self, changes: Iterable[Mapping[str, Any]], *, schema_id: int = 1) -> list[Held]:
        """The next records of the partition."""
        records = self._workshop.records(
            changes,
            schema_id=schema_id,
            first_offset=self._offset,
            topic=self._partition.topic,
            partition=self._partition.number,
        )
        self._offset += len(records)
        return records

    def write_records(self, records: Iterable[Record]) -> dict[str, int]:
        """One transaction with these records."""
        batch = Batch(records=list(records), fences={self._partition: self._claim.fence})
        load = self._loader.load(batch)
        changed = self._database.write(load, dead=(), steps=self.steps(load))
        self._reached = load.next_offsets[self._partition]
        return changed

    def steps(self, load: Load | None = None) -> dict[Partition, Step]:
        """How a load would move the offset; without one, that it stays."""
        return {
            self._partition: Step(
                fence=self._claim.fence,
                reached=self._reached,
                next_offset=load.next_offsets[self._partition] if load else self._reached,
                dead_letters_in_a_row=0,
            )
        }
