"""Puts a batch's changes into a transaction, and knows afterwards where each record stands."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from producer import compiled
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


Place = tuple[str, int]
"""A topic and a partition of it."""
Ready: TypeAlias = tuple[
    Change | compiled.QuickCandidate, bytes, bytes, list[tuple[str, bytes]], int
]
"""A change with its record's key, value, headers, and time in milliseconds."""


class Published:
    """Where the records of one transaction went; complete once it is committed."""

    def __init__(self, ready: Mapping[Place, Sequence[Ready]]) -> None:
        # In the order in which they are produced, which is that of the records.
        self._changes = {place: [one[0] for one in records] for place, records in ready.items()}
        self._last_offsets: dict[Place, int] = {}

    def note(self, place: Place) -> Callable[[int], None]:
        """What to call with the offset of the place's last record."""

        def arrived(offset: int) -> None:
            self._last_offsets[place] = offset

        return arrived

    def remembered(
        self, topic_id: Callable[[str], str]
    ) -> Iterator[tuple[int, dict[str, Entry], dict[str, Progress]]]:
        """Of each partition: the last entry of each object, and how far topics went.

        A partition's records of one transaction stand one after the other, since nobody else
        writes there: the last offset tells all of them.
        """
        found: dict[int, tuple[dict[str, Entry], dict[str, Progress]]] = {}
        for (topic, partition), changes in self._changes.items():
            last = self._last_offsets[topic, partition]
            entries, progress = found.setdefault(partition, ({}, {}))
            first = last - len(changes) + 1
            for offset, change in enumerate(changes, start=first):
                entries[change.name] = change.placed(offset)
            progress[topic] = Progress(topic_id=topic_id(topic), next_offset=last + 1)
        for partition, (entries, progress) in found.items():
            yield partition, entries, progress


class _Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the records of one type go, and how they are written.

    Attributes:
        prefix: what stands before the Avro body of every record.
    """

    topic: str
    prefix: bytes
    codec: ChangeCodec


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
        self._targets: dict[str, _Target] = {}

    def ready(
        self, followers: Sequence[compiled.QuickCandidate], changes: Sequence[Change]
    ) -> dict[Place, list[Ready]]:
        """The records that a batch is to publish, by their places.

        Raises:
            RegistryUnreachable, KafkaUnreachable: try again later.
            SchemaNotRegistered, TopicRefused, PartitionCountDiffers: cannot go on.
        """
        found: dict[Place, list[Ready]] = defaultdict(list)
        for event in followers:
            target = self._targets.get(event.table) or self._target(event.object_name)
            # The inbox's partition, never computed anew: so an object has one writer.
            found[target.topic, event.partition].append(target.codec.ready(target.prefix, event))
        if not changes:
            return found
        targets = [self._target(change.observation.object_name) for change in changes]
        # What it writes is the same for every type.
        values = targets[0].codec.values([target.prefix for target in targets], changes)
        for change, target, value in zip(changes, targets, values, strict=True):
            found[target.topic, change.observation.partition].append(
                (
                    change,
                    change.observation.key.encode(),
                    value,
                    headers_of(change.entry),
                    change.entry.event_at // MICROS_PER_MILLISECOND,
                )
            )
        return found

    def put(
        self, producer: TransactionalProducer, ready: Mapping[Place, Sequence[Ready]]
    ) -> Published:
        """Hand the records to the open transaction.

        Raises:
            UnknownOutcome: one is not taken.
        """
        published = Published(ready)
        put = producer.put
        for place, records in ready.items():
            topic, partition = place
            for _, key, value, headers, milliseconds in records[:-1]:
                put(topic, partition, key, value, headers, milliseconds)
            _, key, value, headers, milliseconds = records[-1]
            put(topic, partition, key, value, headers, milliseconds, published.note(place))
        return published

    def _target(self, object_name: str) -> "_Target":
        """Where records of a type go, and how they are written."""
        object_type = self._preparer.tools(object_name).object_type
        found = self._targets.get(object_type.table)
        if found is None:
            self._ensure_objects([object_type.name])
            topic = self._names.object_topic(object_type.name)
            subject = self._names.subject(topic)
            try:
                schema_id = self._registry.register(subject, object_type.schema)
            except SchemaRefused as error:
                raise SchemaNotRegistered(
                    f"{error}{self._explained(subject, object_type.schema)}"
                ) from error
            found = self._targets[object_type.table] = _Target(
                topic=topic, prefix=frame(schema_id, b""), codec=ChangeCodec(object_type)
            )
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
