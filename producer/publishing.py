"""Puts a batch's changes into a transaction, and knows afterwards where each record stands."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from producer.errors import SchemaNotRegistered
from producer.kafka_relay_producer import TransactionalProducer
from producer.memory import Progress
from producer.order import Entry
from producer.preparing import Preparer
from producer.record import Change, ChangeCodec, headers_of
from schemas.codec import frame
from schemas.compatibility import incompatibilities
from schemas.errors import SchemaError, SchemaRefused
from schemas.registry import Registry
from schemas.topics import Names

MICROS_PER_MILLISECOND = 1_000
FAULTS_MAX = 5
"""So many fields tell what is wrong."""


class Published:
    """Where the records of one transaction went; complete once it is committed."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, int], list[Change]] = defaultdict(list)
        self._last_offsets: dict[tuple[str, int], int] = {}

    def add(self, topic: str, change: Change) -> None:
        """One more record, in the order of production."""
        self._places[topic, change.observation.partition].append(change)

    def note(self, topic: str, partition: int) -> Callable[[int], None]:
        """What to call with the offset of the partition's last record."""

        def arrived(offset: int) -> None:
            self._last_offsets[topic, partition] = offset

        return arrived

    def last(self) -> set[int]:
        """The `id` of each partition's last change: its offset tells all others'."""
        return {id(together[-1]) for together in self._places.values()}

    def remembered(
        self, topic_id: Callable[[str], str]
    ) -> Iterator[tuple[int, list[tuple[str, Entry, int]], dict[str, Progress]]]:
        """Of each partition: entries with their record's offset, and how far topics went.

        A partition's records of one transaction stand one after the other, since nobody else
        writes there: the last offset tells all of them.
        """
        found: dict[int, tuple[list[tuple[str, Entry, int]], dict[str, Progress]]] = {}
        for (topic, partition), changes in self._places.items():
            last = self._last_offsets[topic, partition]
            entries, progress = found.setdefault(partition, ([], {}))
            first = last - len(changes) + 1
            entries += [
                (change.name, change.entry, offset)
                for offset, change in enumerate(changes, start=first)
            ]
            progress[topic] = Progress(topic_id=topic_id(topic), next_offset=last + 1)
        for partition, (entries, progress) in found.items():
            yield partition, entries, progress


class Publisher:
    """Makes records of changes; registers schemas and makes topics as types are first seen."""

    def __init__(
        self,
        *,
        names: Names,
        registry: Registry,
        ensure_objects: Callable[[Iterable[str]], object],
        preparer: Preparer,
    ) -> None:
        self._names = names
        self._registry = registry
        self._ensure_objects = ensure_objects
        self._preparer = preparer
        self._prefixes: dict[str, bytes] = {}
        self._change_codec: ChangeCodec | None = None

    def values(self, changes: Sequence[Change]) -> list[bytes]:
        """The value of each change's record.

        Raises:
            RegistryUnreachable, KafkaUnreachable: try again later.
            SchemaNotRegistered, TopicRefused, PartitionCountDiffers: cannot go on.
        """
        if not changes:
            return []
        if self._change_codec is None:
            name = changes[0].observation.object_name
            self._change_codec = ChangeCodec(self._preparer.tools(name).object_type)
        return self._change_codec.values(list(map(self._prefix, changes)), changes)

    def put(
        self, producer: TransactionalProducer, changes: Sequence[Change], values: Sequence[bytes]
    ) -> Published:
        """Hand the records to the open transaction.

        Raises:
            UnknownOutcome: one is not taken.
        """
        published = Published()
        tables = {change.table for change in changes}
        topic_of = {table: self._names.object_topic(table) for table in tables}
        topics = [topic_of[change.table] for change in changes]
        for topic, change in zip(topics, changes, strict=True):
            published.add(topic, change)
        last = published.last()
        for topic, change, value in zip(topics, changes, values, strict=True):
            partition = change.observation.partition
            producer.put(
                topic,
                # The inbox's partition, never computed anew: so an object has one writer.
                partition,
                change.observation.key.encode(),
                value,
                headers_of(change.entry),
                change.entry.event_at // MICROS_PER_MILLISECOND,
                published.note(topic, partition) if id(change) in last else None,
            )
        return published

    def _prefix(self, change: Change) -> bytes:
        """What stands before the Avro body of every record of the change's type."""
        found = self._prefixes.get(change.table)
        if found is None:
            object_type = self._preparer.tools(change.observation.object_name).object_type
            self._ensure_objects([object_type.name])
            subject = self._names.subject(self._names.object_topic(object_type.name))
            try:
                schema_id = self._registry.register(subject, object_type.schema)
            except SchemaRefused as error:
                raise SchemaNotRegistered(
                    f"{error}{self._explained(subject, object_type.schema)}"
                ) from error
            found = self._prefixes[change.table] = frame(schema_id, b"")
        return found

    def _explained(self, subject: str, schema: Mapping[str, Any]) -> str:
        """Which fields keep an earlier version from being read with this one; empty if none do."""
        try:
            versions = self._registry.versions(subject)
        except SchemaError:
            return ""
        faults = [
            f"version {version}: {fault}"
            for version, earlier in versions.items()
            for fault in incompatibilities(earlier, schema)
        ]
        if not faults:
            return ""
        more = len(faults) - FAULTS_MAX
        told = "; ".join(faults[:FAULTS_MAX]) + (f"; and {more} more" if more > 0 else "")
        return (
            f". What {subject} has had does not go with what this release writes ({told}). Was it "
            "registered by another program? Then remove those versions, or set KAFKA_NAMESPACE."
        )
