"""How far each partition is written, and the fence that keeps a former owner from writing."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from sink.batch import Partition
from sink.claims import Claim, Step
from sink.death_rate import SPAN
from sink.postgres import Connection, translated
from sink.sql import query


class Offsets:
    """The offsets of one Postgres schema's rows.

    Args:
        connection: the session that rows are written through, too.
        schema: where the rows go.
    """

    def __init__(self, connection: Connection, *, schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._claim, self._lost, self._advance = query("claim"), query("lost"), query("advance")
        self._reached, self._begin_at = query("reached"), query("begin_at")
        self._died = query("died_lately")

    def claim(self, partitions: Collection[Partition]) -> dict[Partition, Claim]:
        """Fence off everybody else from these partitions, and learn where to begin.

        Waits for a transaction of the former owner that is about to end.

        Raises:
            PostgresAway, PostgresRefused: no claim was made, or it is unknown whether one was.
        """
        ordered = sorted(partitions)
        with translated():
            rows = self._connection.session().execute(
                self._claim,
                [self._schema, [p.topic for p in ordered], [p.number for p in ordered]],
            )
            claimed = {
                Partition(topic, number): Claim(
                    next_offset=offset, fence=fence, dead_letters_in_a_row=in_a_row
                )
                for topic, number, offset, fence, in_a_row in rows
            }
        return {
            partition: replace(claim, died_lately=died)
            for (partition, claim), died in zip(
                claimed.items(), self._died_lately(claimed), strict=True
            )
        }

    def _died_lately(self, claimed: Mapping[Partition, Claim]) -> list[tuple[int, ...]]:
        """Of each partition, the offsets of its latest dead letters."""
        with translated():
            rows = self._connection.session().execute(
                self._died,
                [
                    self._schema,
                    [partition.topic for partition in claimed],
                    [partition.number for partition in claimed],
                    [claim.next_offset for claim in claimed.values()],
                    SPAN,
                ],
            )
            found = {Partition(topic, number): tuple(offsets) for topic, number, offsets in rows}
        return [found.get(partition, ()) for partition in claimed]

    def reached(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """How far those partitions are written that a sink has ever claimed."""
        with translated():
            rows = self._connection.session().execute(
                self._reached,
                [self._schema, [p.topic for p in partitions], [p.number for p in partitions]],
            )
            return {Partition(topic, number): offset for topic, number, offset in rows}

    def begin_at(self, offsets: Mapping[Partition, int]) -> None:
        """Let the first sink begin here; where one has begun already nothing changes."""
        with translated():
            self._connection.session().execute(
                self._begin_at,
                [
                    self._schema,
                    [partition.topic for partition in offsets],
                    [partition.number for partition in offsets],
                    list(offsets.values()),
                ],
            )

    def lost(self, steps: Mapping[Partition, Step]) -> set[Partition]:
        """Those partitions that somebody else has claimed, or whose offset is not what we know.

        An offset that stands elsewhere was put there by an operator, or by a failover to a server
        that lacks our last transactions.
        """
        with translated():
            rows = self._connection.session().execute(
                self._lost,
                [
                    self._schema,
                    [partition.topic for partition in steps],
                    [partition.number for partition in steps],
                    [step.fence for step in steps.values()],
                    [step.reached for step in steps.values()],
                    [step.next_offset for step in steps.values()],
                ],
            )
            return {Partition(topic, number) for topic, number in rows}

    def advance(self, steps: Mapping[Partition, Step]) -> None:
        """Move offsets, inside the transaction and pipeline that is open.

        Raises:
            FenceLost: a partition is `lost`; Postgres has ended the transaction. In a pipeline it
                is raised when the pipeline ends.
        """
        ordered = sorted(steps)
        taken = [steps[partition] for partition in ordered]
        self._connection.session().execute(
            self._advance,
            [
                self._schema,
                [partition.topic for partition in ordered],
                [partition.number for partition in ordered],
                [step.fence for step in taken],
                [step.reached for step in taken],
                [step.next_offset for step in taken],
                [step.dead_letters_in_a_row for step in taken],
            ],
            prepare=True,
        )
