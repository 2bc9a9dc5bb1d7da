"""From an inbox record to an observation: what it is about, and when Stripe said so."""

from typing import Any, Final, assert_never

import msgspec

from producer.errors import Unreadable
from producer.normalise import NOT_JSON
from producer.observation import Observation, operation_of
from producer.routing import THIN_EVENT_OBJECT
from producer.thin_events import ThinEvent, decode_thin_event, tells_more
from runtime.clock import MICROS_PER_SECOND
from schemas.inbox import ENVELOPE_HEADER, Envelope, Kind
from schemas.meta import Operation
from schemas.objects import PASSING_ID, Catalogue, ObjectType, StrangeObjectName, record_key

SECOND_MAX: Final = 2**40
"""Far beyond any date; keeps microseconds within 64 bits."""
ENVELOPES_MAX: Final = 1_000


class InboxRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record of the inbox, as it stands there."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int
    offset: int

    @property
    def next_offset(self) -> int:
        """Where to read on."""
        return self.offset + 1


class EnvelopeReader:
    """Reads envelopes; those of events are alike.

    Attributes:
        known: by all of their header but the time of arrival.
    """

    def __init__(self) -> None:
        self.known: dict[bytes, Envelope] = {}

    def read(self, record: InboxRecord) -> tuple[Envelope, int, str]:
        """The record's envelope, when it was received, and its key.

        Envelopes differ by little more than the time of arrival, so that one which was read
        before is taken again; its own `received_at` is to be passed over.

        Raises:
            Unreadable: there is none, it is wrong, or the key is not text.
        """
        headers = record.headers
        try:
            key = record.key.decode()
            if len(headers) == 1 and headers[0][0] == ENVELOPE_HEADER:
                others, _, received_at = headers[0][1].rpartition(b"=")
                known = self.known.get(others)
                if known is not None:
                    return known, int(received_at), key
                if others.endswith(b"&received_at"):
                    return self._met(others, headers), int(received_at), key
            envelope = Envelope.from_headers(headers)
        except (ValueError, UnicodeDecodeError) as error:
            raise Unreadable("bad_envelope") from error
        return envelope, envelope.received_at, key

    def _met(self, others: bytes, headers: list[tuple[str, bytes]]) -> Envelope:
        """An envelope whose like was not met before."""
        found = Envelope.from_headers(headers)
        usual = found.kind is Kind.EVENT and found.finer is None
        if usual and len(self.known) < ENVELOPES_MAX:
            self.known[others] = found
        return found


class ObservationReader:
    """Reads inbox records; knows the object types."""

    def __init__(self, *, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._event = msgspec.json.Decoder(_Event)
        self._head = msgspec.json.Decoder(_Head)
        self.envelopes = EnvelopeReader()

    def read(self, record: InboxRecord) -> Observation | None:
        """What the record says; none if it is about something that is no stored object.

        Raises:
            Unreadable: it is no event and no object; the reason is a constant word.
        """
        envelope, received_at, key = self.envelopes.read(record)
        try:
            match envelope.kind:
                case Kind.EVENT:
                    return self._of_event(record, envelope, received_at, key)
                case Kind.THIN_EVENT:
                    return self._of_thin_event(record, envelope, received_at, key)
                case Kind.WANTED:
                    return self._of_wish(record, envelope, received_at, key)
                case Kind.SNAPSHOT | Kind.GONE:
                    return self._of_object(record, envelope, received_at, key)
            assert_never(envelope.kind)
        except NOT_JSON as error:
            raise Unreadable("bad_json") from error
        except StrangeObjectName as error:
            raise Unreadable("bad_object_name") from error

    def _of_event(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> Observation | None:
        event = self._event.decode(record.value)
        body = bytes(event.data.object)
        head = self._head.decode(body)
        if not head.object or not 0 < event.created < SECOND_MAX:
            raise Unreadable("bad_event")
        account_id = event.account or envelope.account_id
        if not self._is_stored(head, body, key, account_id):
            return None
        previous = event.data.previous_attributes
        if bytes(previous):
            # Only looked at when it is compared or published: then it must not fail.
            msgspec.json.decode(previous)
        return Observation(
            kind=Kind.EVENT,
            source=envelope.source,
            evidence=None,
            object_name=head.object,
            key=key,
            account_id=account_id,
            second=event.created,
            operation=operation_of(event.type),
            event_id=event.id,
            event_type=event.type,
            api_version=event.api_version,
            previous=bytes(previous),
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
            finer=envelope.finer,
        )

    def _of_object(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> Observation | None:
        head = self._head.decode(record.value)
        if not head.object or not 0 < envelope.observed_second < SECOND_MAX:
            raise Unreadable("bad_snapshot")
        gone = envelope.kind is Kind.GONE or head.deleted is True
        if gone:
            # What is gone shows no more than its id; its key is the word of whoever asked.
            stored = self._catalogue.get(head.object).key_rule is not None
        else:
            stored = self._is_stored(head, record.value, key, envelope.account_id)
        if not stored:
            return None
        return Observation(
            kind=Kind.GONE if gone else Kind.SNAPSHOT,
            source=envelope.source,
            evidence=envelope.evidence,
            object_name=head.object,
            key=key,
            account_id=envelope.account_id,
            second=envelope.observed_second,
            operation=Operation.DELETED if gone else Operation.SNAPSHOT,
            event_id="",
            event_type="",
            api_version=None,
            previous=b"",
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
        )

    def _of_thin_event(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> Observation | None:
        event = decode_thin_event(record.value)
        second = _second_of(event)
        if not 0 < second < SECOND_MAX:
            raise Unreadable("bad_event")
        related = event.related_object
        if related is None and not event.snapshot_event and not tells_more(event, envelope.source):
            return None
        object_name = related.type if related is not None else THIN_EVENT_OBJECT
        if self._catalogue.get(object_name).key_rule is None:
            return None
        return Observation(
            kind=Kind.THIN_EVENT,
            source=envelope.source,
            evidence=None,
            object_name=object_name,
            key=key,
            account_id=envelope.account_id,
            second=second,
            operation=operation_of(event.type),
            event_id=event.snapshot_event or "",
            event_type=event.type,
            api_version=None,
            previous=b"",
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
        )

    def _of_wish(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> Observation | None:
        head = self._head.decode(record.value)
        if not head.object or not 0 <= envelope.observed_second < SECOND_MAX:
            raise Unreadable("bad_wish")
        if self._catalogue.get(head.object).key_rule is None:
            return None
        return Observation(
            kind=Kind.WANTED,
            source=envelope.source,
            evidence=None,
            object_name=head.object,
            key=key,
            account_id=envelope.account_id,
            second=envelope.observed_second,
            operation=Operation.SNAPSHOT,
            event_id="",
            event_type="",
            api_version=None,
            previous=b"",
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
        )

    def _is_stored(self, head: "_Head", body: bytes, key: str, account_id: str) -> bool:
        object_type = self._catalogue.get(head.object)
        expected = self._key(object_type, head, body, account_id)
        if expected is not None and expected != key:
            # On another partition than its object's other changes it could not be put in order.
            raise Unreadable("bad_key")
        return expected is not None

    def _key(
        self, object_type: ObjectType, head: "_Head", body: bytes, account_id: str
    ) -> str | None:
        rule = object_type.key_rule
        if rule is None:
            return None
        if rule.fields == ("id",):
            if not isinstance(head.id, str) or not head.id or head.id.startswith(PASSING_ID):
                return None
            return f"{account_id}/{head.id}" if account_id else head.id
        return record_key(object_type, msgspec.json.decode(body), account_id)


class _Data(msgspec.Struct, gc=False):
    object: msgspec.Raw
    previous_attributes: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct, gc=False):
    id: str
    type: str
    created: int
    data: _Data
    api_version: str | None = None
    account: str | None = None


def _second_of(event: ThinEvent) -> int:
    try:
        return event.created_micros() // MICROS_PER_SECOND
    except ValueError as error:
        raise Unreadable("bad_event") from error


class _Head(msgspec.Struct, gc=False):
    id: Any = None
    deleted: Any = None
    object: str = ""
