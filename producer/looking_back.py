"""Reads back what was published or observed before, where a decision needs a body again."""

from producer.kafka_changelog import Changelog
from producer.order import Entry
from producer.preparing import Candidate, Preparer
from producer.reading import InboxRecord
from schemas.codec import RecordCodec, unframe
from schemas.errors import BadFrame, BadRecord
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
        """
        return self._half_in_topic(candidate, entry) or self._half_in_inbox(entry)

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
        if found is None or found.key != candidate.observation.key.encode():
            return None
        try:
            schema_id, body = unframe(found.value)
            record = RecordCodec(self._registry.schema(schema_id)).decode(body)
            tools = self._preparer.tools(candidate.observation.object_name)
            return tools.half_codec.encode_one(record)
        except (BadFrame, BadRecord):
            return None

    def _half_in_inbox(self, entry: Entry) -> bytes | None:
        found = self.observed(entry)
        return None if found is None else found.half
