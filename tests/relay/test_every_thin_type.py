"""Every type of thin event, as it is posted with nothing but a name, leads to its whole event."""

from typing import Any

import msgspec
import pytest

from producer.preparing import Preparer
from producer.reading import InboxRecord
from producer.refetch import Fetched, Wish
from producer.routing import Router
from producer.stripe_api import Retrieved
from producer.wishes import Returned, fetched_record, has_place, related_wish, wish_for
from schemas.inbox import Envelope, Kind, Source
from schemas.objects import load_catalogue, record_key
from simulator.thin import WITHOUT_ID, WITHOUT_OBJECT, has_thin, notification, thin_event
from tests.relay.inbox_writer import FIRST_SECOND

CATALOGUE = load_catalogue()
ROUTER = Router(catalogue=CATALOGUE)
PREPARER = Preparer(catalogue=CATALOGUE)
NOW = 1_000_000
MILLIS = FIRST_SECOND * 1_000 + 250
STORED = [
    kind
    for kind in CATALOGUE.event_types()
    if has_thin(kind)
    if CATALOGUE.get(CATALOGUE.event_objects(kind)[0]).key_rule is not None
]
NAMELESS = [kind for kind in STORED if kind.startswith((*WITHOUT_OBJECT, *WITHOUT_ID))]


def subject(kind: str) -> dict[str, Any]:
    """An object that an event of a type is about, with no more than its key needs."""
    object_type = CATALOGUE.get(CATALOGUE.event_objects(kind)[0])
    assert object_type.key_rule is not None
    keys = {field: f"x_{field}" for field in object_type.key_rule.fields}
    return {"id": "x_id", "object": object_type.name, "customer": "cus_1", **keys}


def whole(kind: str) -> bytes:
    body = {
        "id": "evt_whole",
        "object": "event",
        "type": kind,
        "created": FIRST_SECOND,
        "data": {"object": subject(kind)},
        "livemode": False,
    }
    return msgspec.json.encode(body)


def thin(kind: str, *, snapshot: str | None = "evt_whole") -> dict[str, Any]:
    """The event as `/v2/core/events` shows it."""
    return thin_event(
        identifier="evt_thin",
        account="",
        kind=kind,
        millis=MILLIS,
        livemode=False,
        subject=subject(kind),
        previous=None,
        request={"id": None},
        snapshot=snapshot,
    )


def posted(kind: str) -> Returned:
    """What the webhook puts into the inbox of a thin event that tells nothing more."""
    body = msgspec.json.encode(notification(thin(kind), details=False))
    route = ROUTER.route(body)
    envelope = Envelope(kind=route.kind, source=Source.WEBHOOK, received_at=NOW)
    return Returned(partition=0, key=route.key.encode(), value=body, headers=envelope.headers())


def wished(record: Returned) -> Wish | None:
    prepared = PREPARER.prepare([_in_inbox(record)], lambda _names: {})
    assert not prepared.dead
    return wish_for(prepared.wishes[0]) if prepared.wishes else None


def fetched(wish: Wish | None, body: bytes, *, gone: bool = False) -> Fetched:
    assert wish is not None
    retrieved = Retrieved(body=body, observed_second=FIRST_SECOND + 9, gone=gone)
    return Fetched(wish=wish, retrieved=retrieved)


def returned(one: Fetched) -> Returned:
    assert has_place(one)
    record = fetched_record(one, received_at=NOW, router=ROUTER)
    assert record is not None
    return record


def _in_inbox(record: Returned) -> InboxRecord:
    return InboxRecord(
        key=record.key, value=record.value, headers=record.headers, partition=0, offset=0
    )


@pytest.mark.parametrize("kind", STORED)
def test_a_thin_event_that_tells_nothing_more_leads_to_its_whole_event(kind: str) -> None:
    first = wished(posted(kind))
    told = returned(fetched(first, msgspec.json.encode(thin(kind))))
    second = wished(told)
    event = returned(fetched(second, whole(kind)))

    assert first is not None
    assert second is not None
    assert (first.path, second.path) == ("/v2/core/events/evt_thin", "/v1/events/evt_whole")
    (candidate,) = PREPARER.prepare([_in_inbox(event)], lambda _names: {}).candidates
    observation = candidate.observation
    assert (observation.kind, observation.event_id) == (Kind.EVENT, "evt_whole")
    body = subject(kind)
    assert observation.key == record_key(CATALOGUE.get(body["object"]), body, "")
    assert observation.finer is not None
    assert observation.finer.created == MILLIS * 1_000


@pytest.mark.parametrize("kind", STORED)
def test_a_thin_event_without_a_whole_one_leads_to_its_object_and_no_further(kind: str) -> None:
    bare = msgspec.json.encode(thin(kind, snapshot=None))
    told = returned(fetched(wished(posted(kind)), bare))
    wish = wished(told)

    if kind.startswith(WITHOUT_OBJECT):
        assert wish is None
        return
    body = subject(kind)
    shown = fetched(wish, msgspec.json.encode(body))
    (candidate,) = PREPARER.prepare([_in_inbox(returned(shown))], lambda _names: {}).candidates
    assert candidate.observation.kind is Kind.SNAPSHOT
    assert candidate.observation.key == record_key(CATALOGUE.get(body["object"]), body, "")


@pytest.mark.parametrize("kind", NAMELESS)
def test_what_is_gone_and_was_never_named_has_no_place(kind: str) -> None:
    (candidate,) = PREPARER.prepare([_in_inbox(posted(kind))], lambda _names: {}).wishes
    wish = related_wish(candidate)

    if kind.startswith(WITHOUT_OBJECT):
        assert wish is None
    else:
        gone = b'{"id":"evt_thin","object":"any","deleted":true}'
        assert not has_place(fetched(wish, gone, gone=True))
