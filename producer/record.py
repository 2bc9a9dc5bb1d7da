"""A record's bytes, in two halves: what Stripe says of the object, and what we say of the change.

An Avro record is its fields' bytes one after the other, and the meta fields come last. So the
object's half can be encoded, and hashed, before it is decided whether and when it is published.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from producer import compiled
from producer.observation import NOTHING, Observation
from producer.order import Entry
from producer.shown_lists import ShownList
from schemas import meta
from schemas.codec import BatchCodec, RecordCodec
from schemas.meta import ENTRY_HEADER, Operation
from schemas.objects import ObjectType

HASH_BYTES: Final = 16


class Change(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record to publish, but for its meta fields' bytes.

    Attributes:
        name: of the object in the memory.
        half: the object's half of the record's Avro body.
        entry: what is remembered once it is published.
        lists: of objects with ids, in the body.
    """

    observation: Observation
    name: str
    table: str
    half: bytes
    entry: Entry
    lists: tuple[ShownList, ...] = ()

    def placed(self, record_offset: int) -> Entry:
        """What is remembered, once its record stands somewhere."""
        return msgspec.structs.replace(self.entry, record_offset=record_offset)


class HalfCodec:
    """Encodes the object's half for one object type."""

    def __init__(self, object_type: ObjectType) -> None:
        fields = list(object_type.schema["fields"])
        end = _names(fields).index(meta.EXTRA) + 1
        assert _names(fields)[end:] == list(_CHANGE_FIELDS)
        half = {**object_type.schema, "fields": fields[:end]}
        self.field_names = tuple(_names(fields)[:end])
        self._batch = BatchCodec(half)
        self._single = RecordCodec(half)

    def encode(self, columns: Mapping[str, Sequence[Any]], count: int) -> list[bytes]:
        """The halves of `count` objects.

        Raises:
            BadRecord: a value does not fit; which one, encoding them one by one tells.
        """
        return self._batch.encode(columns, count)

    def encode_one(self, record: Mapping[str, Any]) -> bytes:
        """The half of one object; other fields than its own are passed over.

        Raises:
            BadRecord: a value does not fit.
        """
        return self._single.encode({name: record.get(name) for name in self.field_names})

    def decode_one(self, half: bytes) -> dict[str, Any]:
        """The columns of one half.

        Raises:
            BadRecord: it is no half of this type.
        """
        return self._single.decode(half)


class ChangeCodec:
    """Encodes the other half, which is the same for every object type.

    Compiled, it writes record by record; if it is not, column by column.
    """

    def __init__(self, object_type: ObjectType) -> None:
        """Take the fields from any object type's schema."""
        fields = list(object_type.schema["fields"])
        start = _names(fields).index(meta.EXTRA) + 1
        assert _names(fields)[start:] == list(_CHANGE_FIELDS)
        self._batch = BatchCodec(
            {"type": "record", "name": "Change", "namespace": "stripe", "fields": fields[start:]}
        )
        if compiled.IS_COMPILED:
            self._writer = compiled.ValueWriter(_shown_before)

    def values(self, prefixes: Sequence[bytes], changes: Sequence[Change]) -> list[bytes]:
        """The whole value of each change's record.

        Args:
            prefixes: for each change, what stands before the Avro body.
        """
        if compiled.IS_COMPILED:
            return list(map(self._value, prefixes, changes))
        return [
            prefix + change.half + half
            for prefix, change, half in zip(
                prefixes, changes, self._in_columns(changes), strict=True
            )
        ]

    def _value(self, prefix: bytes, change: Change) -> bytes:
        observation, entry = change.observation, change.entry
        # Positional, since it is called for every record.
        return self._writer.value(
            prefix,
            change.half,
            entry.event_at,
            observation.event_id,
            observation.event_type,
            entry.operation,
            observation.source,
            observation.api_version,
            observation.account_id,
            observation.received_at,
            _shown_before(observation.previous),
        )

    def ready(
        self, prefix: bytes, event: compiled.QuickCandidate
    ) -> tuple[compiled.QuickCandidate, bytes, bytes, list[tuple[str, bytes]], int]:
        """The record of an event that follows: event, key, value, headers, milliseconds."""
        return self._writer.ready(prefix, event)

    def _in_columns(self, changes: Sequence[Change]) -> list[bytes]:
        """The halves that say what each change is."""
        seen = [change.observation for change in changes]
        return self._batch.encode(
            {
                meta.EVENT_AT: [change.entry.event_at for change in changes],
                meta.EVENT_ID: [observation.event_id or None for observation in seen],
                meta.EVENT_TYPE: [observation.event_type or None for observation in seen],
                meta.OPERATION: [change.entry.operation for change in changes],
                meta.SOURCE: [observation.source for observation in seen],
                meta.API_VERSION: [observation.api_version for observation in seen],
                meta.ACCOUNT_ID: [observation.account_id or None for observation in seen],
                meta.RECEIVED_AT: [observation.received_at for observation in seen],
                meta.PREVIOUS: [
                    None if shown is None else shown.decode()
                    for shown in (_shown_before(observation.previous) for observation in seen)
                ],
            },
            len(changes),
        )


def hash_of(half: bytes) -> bytes:
    """Tells whether two bodies of one object are the same, however they were written."""
    # Processors have instructions for it: half of BLAKE2's time where they do.
    return hashlib.sha256(half).digest()[:HASH_BYTES]


def _shown_before(previous: bytes) -> bytes | None:
    """What was before, as JSON without spaces; none if nothing is told of it."""
    if previous in NOTHING:
        return None
    if previous.split(maxsplit=1) == [previous]:
        return previous
    return msgspec.json.format(previous, indent=-1)


def headers_of(entry: Entry) -> list[tuple[str, bytes]]:
    """The headers of a published record: all that the memory needs to know of it."""
    parent = quote(entry.parent, safe=":/") if entry.parent else ""
    told = (
        f"{entry.event_at} {entry.operation} {entry.body_hash.hex()} {entry.inbox} {parent} "
        f"{','.join(entry.event_ids)}"
    )
    return [(ENTRY_HEADER, told.encode())]


def entry_of_headers(
    headers: Sequence[tuple[str, bytes | str | None]] | None, *, record_offset: int
) -> Entry:
    """The memory's entry of a published record.

    Raises:
        ValueError: there is none, or it is not what `headers_of` writes.
    """
    found = dict(headers or ()).get(ENTRY_HEADER)
    if found is None:
        raise ValueError(f"the record lacks the header {ENTRY_HEADER}")
    told = found if isinstance(found, str) else found.decode()
    event_at, operation, body_hash, inbox, parent, events = told.split(" ", 5)
    return Entry(
        event_at=int(event_at),
        operation=Operation(operation),
        body_hash=bytes.fromhex(body_hash),
        event_ids=tuple(events.split(",")) if events else (),
        inbox=inbox,
        record_offset=record_offset,
        parent=unquote(parent),
    )


def _names(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    return [field["name"] for field in fields]


_CHANGE_FIELDS: Final = meta.META_FIELDS[1:]
