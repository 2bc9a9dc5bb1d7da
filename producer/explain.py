"""What the relay would publish for an event or an object, computed without any server."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from producer.errors import NotReadable, RequestRefused
from producer.observation import Observation
from producer.order import DropReason
from producer.preparing import Preparer
from producer.reading import InboxRecord
from producer.routing import EVENT_OBJECT, THIN_EVENT_OBJECT, Router
from runtime.clock import MICROS_PER_SECOND, Clock
from schemas import meta
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.meta import Operation
from schemas.objects import Catalogue, StrangeObjectName, record_key
from schemas.topics import Names


def explained(body: bytes, *, names: Names, catalogue: Catalogue, clock: Clock) -> dict[str, Any]:
    """The topic, key and record of a Stripe event or object, or why there is none.

    An object is taken for a snapshot that was retrieved now. The record's `_event_at` is that of
    an object of which nothing else is known; the relay may move it within its second.

    Returns:
        `topic`, `key`, `record`, and `children`: the same of each object that is published with
        it, being shown in its lists only. For what is not published `topic` and `record` are none
        and `reason` says why.

    Raises:
        NotReadable: it is neither an event nor an object.
    """
    record = _inbox_record(body, catalogue=catalogue, clock=clock)
    preparer = Preparer(catalogue=catalogue)
    prepared = preparer.prepare([record], lambda _names: {})
    for dead in prepared.dead:
        raise NotReadable(f"This would go to the dead letters ({dead.reason}). {_EXPECTED}")
    for reason in prepared.dropped:
        return {
            "topic": None,
            "key": record.key.decode() or None,
            "record": None,
            "reason": _REASONS[reason],
        }
    (candidate,) = prepared.candidates
    seen = candidate.observation
    # Of children that were published before nothing is known: a delete shows none.
    shown = () if seen.operation is Operation.DELETED else candidate.lists
    return {
        "topic": names.object_topic(seen.object_name),
        "key": seen.key,
        "record": _columns(preparer, seen.object_name, candidate.half) | _meta(seen),
        "children": [
            {
                "topic": names.object_topic(child.object_name),
                "key": child.key,
                "record": _columns(preparer, child.object_name, child.half) | _meta_of_child(seen),
            }
            for one in shown
            for child in one.owned
        ],
    }


def _inbox_record(body: bytes, *, catalogue: Catalogue, clock: Clock) -> InboxRecord:
    try:
        parsed = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotReadable(f"This is not JSON. {_EXPECTED}") from error
    except RecursionError as error:
        raise NotReadable(f"This is nested too deeply. {_EXPECTED}") from error
    if not isinstance(parsed, dict) or not isinstance(parsed.get("object"), str):
        raise NotReadable(f"This has no field `object`. {_EXPECTED}")
    if parsed["object"] == THIN_EVENT_OBJECT:
        raise NotReadable(
            "This is a thin event: it names its object and does not hold it; the relay fetches "
            f"the object from Stripe. {_EXPECTED}"
        )
    received_at = clock.utc_micros()
    if parsed["object"] == EVENT_OBJECT:
        try:
            route = Router(catalogue=catalogue).route(body)
        except RequestRefused as error:
            raise NotReadable(f"This is no whole event. {_EXPECTED}") from error
        key = route.key
        envelope = Envelope(
            kind=Kind.EVENT,
            source=Source.WEBHOOK,
            received_at=received_at,
            account_id=route.account_id,
        )
    else:
        key = _object_key(parsed, catalogue=catalogue)
        envelope = Envelope(
            kind=Kind.SNAPSHOT,
            source=Source.REFETCH,
            received_at=received_at,
            observed_second=received_at // MICROS_PER_SECOND,
            evidence=Evidence.RETRIEVE,
        )
    return InboxRecord(
        key=key.encode(), value=body, headers=envelope.headers(), partition=0, offset=0
    )


def _object_key(body: dict[str, Any], *, catalogue: Catalogue) -> str:
    try:
        object_type = catalogue.get(body["object"])
    except StrangeObjectName as error:
        raise NotReadable(f"Its `object` names no Stripe object. {_EXPECTED}") from error
    return record_key(object_type, body, "") or ""


def _columns(preparer: Preparer, object_name: str, half: bytes) -> dict[str, Any]:
    return preparer.tools(object_name).half_codec.decode_one(half)


def _meta(seen: Observation) -> dict[str, Any]:
    second_micros = seen.second * MICROS_PER_SECOND
    return {
        meta.EVENT_AT: second_micros if seen.kind is Kind.EVENT else second_micros - 1,
        meta.EVENT_ID: seen.event_id or None,
        meta.EVENT_TYPE: seen.event_type or None,
        meta.OPERATION: seen.operation.value,
        meta.SOURCE: seen.source.value,
        meta.API_VERSION: seen.api_version,
        meta.ACCOUNT_ID: seen.account_id or None,
        meta.RECEIVED_AT: seen.received_at,
        meta.PREVIOUS: seen.previous.decode() if seen.has_previous else None,
    }


def _meta_of_child(parent: Observation) -> dict[str, Any]:
    """What is said of a child that was not known before."""
    is_snapshot = parent.operation is Operation.SNAPSHOT
    operation = Operation.SNAPSHOT if is_snapshot else Operation.CREATED
    return _meta(parent) | {meta.OPERATION: operation.value, meta.PREVIOUS: None}


_REASONS: Mapping[DropReason, str] = MappingProxyType(
    {
        DropReason.NOT_STORED_OBJECT: (
            "Stripe stores no such object: it stays in the inbox and is counted."
        ),
        DropReason.SHOWN_BY_PARENT: (
            "Such an object is published with the one whose list it stands in, and in no other "
            "way: give the object that shows it."
        ),
    }
)
_EXPECTED = (
    "Give the JSON of one event or one object as Stripe sends it, for example the output of "
    "`stripe events retrieve evt_...`."
)
