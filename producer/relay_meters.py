"""What the relay counts, once a transaction is committed."""

from collections import Counter
from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Final

from producer.deciding import Outcome
from producer.preparing import Prepared
from runtime import metrics
from runtime.clock import MICROS_PER_SECOND
from runtime.metrics import Meters
from schemas.meta import Operation
from schemas.objects import load_catalogue


class RelayMeters:
    """The relay's share of the metrics."""

    def __init__(self, *, meters: Meters) -> None:
        self._meters = meters
        self._partitions: set[int] = set()

    def committed(self, prepared: Prepared | None, outcome: Outcome, *, seconds: float) -> None:
        """Count a batch.

        Args:
            prepared: the batch; none if only fetched objects were handled.
            outcome: what became of it.
            seconds: from the first record produced to the commit.
        """
        add = self._meters.add
        self._meters.observe(metrics.RELAY_TRANSACTION_SECONDS, seconds)
        published: Counter[tuple[str, Operation]] = Counter()
        told = Counter(map(_TOLD, outcome.followers))
        told.update(
            (
                change.observation.object_name,
                change.entry.operation,
                change.observation.event_type,
            )
            for change in outcome.changes
        )
        for (object_name, operation, event_type), count in told.items():
            published[object_name, operation] += count
            if _is_unexpected(event_type, object_name):
                add(metrics.RELAY_UNEXPECTED, count, event_type=event_type, object=object_name)
        published.update(
            (change.observation.object_name, change.entry.operation)
            for change in outcome.family.changes
        )
        for (object_name, operation), count in published.items():
            add(metrics.RELAY_PUBLISHED, count, object=object_name, operation=operation.value)
        dropped = outcome.dropped
        if prepared is not None:
            dropped = dropped + prepared.dropped
            add(metrics.RELAY_CONSUMED, prepared.records)
            self._meters.observe(metrics.RELAY_BATCH_RECORDS, prepared.records)
            for reason, count in Counter(dead.reason for dead in prepared.dead).items():
                add(metrics.DEAD_LETTERS, count, service="relay", reason=reason)
        for drop_reason, count in dropped.items():
            add(metrics.RELAY_DROPPED, count, reason=drop_reason.value)
        family = outcome.family
        for reason, count in Counter(one.reason for one in family.wanted.values()).items():
            add(metrics.RELAY_WANTED, count, reason=reason)
        for object_name, count in Counter(s.child.object_name for s in family.sightings).items():
            add(metrics.RELAY_SIGHTED, count, object=object_name)
        if family.incomplete:
            add(metrics.RELAY_INCOMPLETE, family.incomplete)
        if outcome.by_arrival:
            add(metrics.RELAY_REFETCHED, outcome.by_arrival, outcome="by_arrival")

    def lag(self, behind: Mapping[int, int], *, partitions: Collection[int], micros: int) -> None:
        """Show how far the relay is behind, and show it no more for partitions given up.

        Args:
            behind: records, of the partitions of which it is known.
            partitions: all that are ours.
            micros: how long the oldest record that is not relayed waits at most.
        """
        for partition in self._partitions.difference(partitions):
            self._meters.drop(metrics.RELAY_LAG_RECORDS, partition=str(partition))
        self._partitions = self._partitions.intersection(partitions) | behind.keys()
        for partition, records in behind.items():
            self._meters.set_to(metrics.RELAY_LAG_RECORDS, records, partition=str(partition))
        self._meters.set_to(metrics.RELAY_LAG_SECONDS, max(0, micros) / MICROS_PER_SECOND)


_TOLD: Final = attrgetter("object_name", "operation", "event_type")


def _is_unexpected(event_type: str, object_name: str) -> bool:
    """Whether an event of this type is not known to carry such an object, which decides alone."""
    expected = load_catalogue().event_objects(event_type)
    return bool(expected) and object_name not in expected
