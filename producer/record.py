"""A record's bytes, in two halves: what Stripe says of the object, and what we say of the change.

An Avro record is its fields' bytes one after the other, and the meta fields come last. So the
object's half can be encoded, and hashed, before it is decided whether and when it is published.
"""

import hashlib
from binascii import hexlify
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from producer import compiled
from producer.observation import Observation
from producer.order import Entry
from producer.shown_lists import ShownList
from schemas import meta
from schemas.codec import BatchCodec, RecordCodec
from schemas.meta import ChangeHeader, Operation
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
            self._writer = compiled.ValueWriter()

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
            observation.event_id or None,
            observation.event_type or None,
            entry.operation,
            observation.source,
            observation.api_version,
            observation.account_id or None,
            observation.received_at,
            _without_spaces(observation.previous) if observation.has_previous else None,
        )

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
                    _without_spaces(observation.previous).decode()
                    if observation.has_previous
                    else None
                    for observation in seen
                ],
            },
            len(changes),
        )


def hash_of(half: bytes) -> bytes:
    """Tells whether two bodies of one object are the same, however they were written."""
    # Processors have instructions for it: half of BLAKE2's time where they do.
    return hashlib.sha256(half).digest()[:HASH_BYTES]


def _without_spaces(json: bytes) -> bytes:
    if json.split(maxsplit=1) == [json]:
        return json
    return msgspec.json.format(json, indent=-1)


def headers_of(entry: Entry) -> list[tuple[str, bytes]]:
    """The headers of a published record: all that the memory needs to know of it."""
    found = [
        (_EVENT_AT, b"%d" % entry.event_at),
        # The member is its text; asking for `value` costs more than the rest of the line.
        (_OPERATION, entry.operation.encode()),
        (_HASH, hexlify(entry.body_hash)),
        (_EVENTS, ",".join(entry.event_ids).encode()),
        (_INBOX, entry.inbox.encode()),
    ]
    if entry.parent:
        found.append((_PARENT, entry.parent.encode()))
    return found


def entry_of_headers(
    headers: Sequence[tuple[str, bytes | str | None]] | None, *, record_offset: int
) -> Entry:
    """The memory's entry of a published record.

    Raises:
        ValueError: a header is missing or is not what `headers_of` writes.
    """
    found = {
        name: value.decode() if isinstance(value, bytes) else value or ""
        for name, value in headers or ()
    }
    missing = [name for name in _REQUIRED if name not in found]
    if missing:
        raise ValueError(f"the record lacks the headers {', '.join(missing)}")
    events = found[_EVENTS]
    return Entry(
        event_at=int(found[_EVENT_AT]),
        operation=Operation(found[_OPERATION]),
        body_hash=bytes.fromhex(found[_HASH]),
        event_ids=tuple(events.split(",")) if events else (),
        inbox=found[_INBOX],
        record_offset=record_offset,
        parent=found.get(_PARENT, ""),
    )


def _names(fields: Sequence[Mapping[str, Any]]) -> list[str]:
    return [field["name"] for field in fields]


_CHANGE_FIELDS: Final = meta.META_FIELDS[1:]
_EVENT_AT: Final = ChangeHeader.EVENT_AT.value
_OPERATION: Final = ChangeHeader.OPERATION.value
_HASH: Final = ChangeHeader.HASH.value
_EVENTS: Final = ChangeHeader.EVENTS.value
_INBOX: Final = ChangeHeader.INBOX.value
_PARENT: Final = ChangeHeader.PARENT.value
_REQUIRED: Final = tuple(header.value for header in ChangeHeader if header.value != _PARENT)
