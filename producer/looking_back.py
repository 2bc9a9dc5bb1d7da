"""Reads back what was published or observed before, where a decision needs a body again."""

from collections import defaultdict
from collections.abc import Sequence

from producer.errors import SchemaNotRegistered
from producer.kafka_changelog import Changelog, StoredRecord
from producer.order import Entry
from producer.owned import Lost
from producer.preparing import Candidate, Preparer
from producer.reading import InboxRecord
from producer.record_keys import object_id_of
from schemas.codec import RecordCodec, unframe
from schemas.errors import BadFrame, BadRecord, SchemaRefused, SchemaUnknown
from schemas.objects import ID
from schemas.registry import Registry
from schemas.topics import Names


class LookingBack:
    """Bodies of the past: from the object's topic, which keeps the last of each, or the inbox."""

    def __init__(
        self, *, changelog: Changelog, registry: Registry, preparer: Preparer, names: Names
    ) -> None:
        self._changelog = changelog
        self._registry = registry
        self._preparer = preparer
        self._names = names

    def last_half(self, candidate: Candidate, entry: Entry) -> bytes | None:
        """The object's half of the record that was published last, in the schema of today.

        Raises:
            KafkaUnreachable, RegistryUnreachable: try again later.
            SchemaNotRegistered: the registry refuses to show a schema.
        """
        return self._half_in_topic(candidate, entry) or self._half_in_inbox(entry)

    def last_halves(self, lost: Sequence[Lost]) -> list[bytes]:
        """The halves of children that their parents show no more, in the schema of today.

        Raises:
            KafkaUnreachable, RegistryUnreachable: try again later.
            SchemaNotRegistered: the registry refuses to show a schema.
        """
        offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
        for one in lost:
            if one.entry.record_offset >= 0:
                offsets[one.table, one.partition].append(one.entry.record_offset)
        records = {
            place: self._changelog.records_at(self._names.object_topic(place[0]), place[1], found)
            for place, found in offsets.items()
        }
        return [
            self._half_of(
                records.get((one.table, one.partition), {}).get(one.entry.record_offset),
                key=one.key,
                object_name=one.object_name,
            )
            or self._half_in_parent(one)
            for one in lost
        ]

    def observed(self, entry: Entry) -> Candidate | None:
        """The inbox record that an entry comes from; none if the inbox keeps it no longer.

        Raises:
            KafkaUnreachable: try again later.
        """
        partition, _, offset = entry.inbox.partition(":")
        found = self._changelog.record_at(self._names.inbox, int(partition), int(offset))
        if found is None:
            return None
        headers = [
            (name, value.encode() if isinstance(value, str) else value or b"")
            for name, value in found.headers
        ]
        return self._preparer.candidate(
            InboxRecord(
                key=found.key,
                value=found.value,
                headers=headers,
                partition=int(partition),
                offset=found.offset,
            )
        )

    def _half_in_topic(self, candidate: Candidate, entry: Entry) -> bytes | None:
        if entry.record_offset < 0:
            return None
        found = self._changelog.record_at(
            self._names.object_topic(candidate.table),
            candidate.observation.partition,
            entry.record_offset,
        )
        observation = candidate.observation
        return self._half_of(found, key=observation.key, object_name=observation.object_name)

    def _half_of(self, found: StoredRecord | None, *, key: str, object_name: str) -> bytes | None:
        if found is None or found.key != key.encode():
            return None
        try:
            schema_id, body = unframe(found.value)
            record = RecordCodec(self._registry.schema(schema_id)).decode(body)
            return self._preparer.tools(object_name).half_codec.encode_one(record)
        except (BadFrame, BadRecord, SchemaUnknown):
            # A registry that lost its schemas does not know the id any more.
            return None
        except SchemaRefused as error:
            raise SchemaNotRegistered(str(error)) from error

    def _half_in_parent(self, lost: Lost) -> bytes:
        """The half as the parent showed it; if that is gone, too, of no more than the id."""
        parent = self.observed(lost.entry)
        for one in parent.lists if parent is not None else ():
            for child in one.owned:
                if child.name == lost.name:
                    return child.half
        only = {ID: object_id_of(lost.key), "object": lost.object_name}
        return self._preparer.tools(lost.object_name).half_codec.encode_one(only)

    def _half_in_inbox(self, entry: Entry) -> bytes | None:
        found = self.observed(entry)
        return None if found is None else found.half
