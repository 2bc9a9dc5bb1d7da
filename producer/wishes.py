"""From a candidate that only Stripe can settle to a wish, and from the answer to the inbox."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import msgspec

from producer.errors import RequestRefused
from producer.families import Sighting, Wanted
from producer.preparing import Candidate
from producer.record_keys import object_id_of
from producer.refetch import Fetched, Wish
from producer.routing import EVENT_OBJECT, THIN_EVENT_OBJECT, Router
from producer.thin_events import decode_thin_event, finer_of, tells_more
from schemas.endpoints import load_ways
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.objects import ID, StrangeObjectName, load_catalogue, record_key
from schemas.retrieve_paths import retrieve_path

ANY_PARTITION: Final = -1
"""The partitioner chooses, by the key, as it does for every other writer of the inbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """An inbox record that the relay writes itself."""

    partition: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def wish_for(candidate: Candidate) -> Wish | None:
    """What to ask Stripe for; none if objects of this type cannot be asked for."""
    observation = candidate.observation
    if observation.kind is Kind.THIN_EVENT:
        return _thin_wish(candidate)
    path = retrieve_path(observation.object_name, msgspec.json.decode(observation.body))
    return None if path is None else _wish(candidate, path)


def related_wish(candidate: Candidate) -> Wish | None:
    """The object that a thin event names; none if it names none."""
    related = decode_thin_event(candidate.observation.value).related_object
    if related is None or not related.url.startswith("/v"):
        return None
    rule = load_catalogue().get(related.type).key_rule
    by_id = rule is not None and rule.fields == (ID,) and bool(related.id)
    return replace(_wish(candidate, related.url), keyed_by_body=not by_id)


def has_place(fetched: Fetched) -> bool:
    """Whether what was fetched can go into the inbox: it is the event, or has a record key.

    What a thin event says is deleted, and names by no more than its address, has none.
    """
    wish, retrieved = fetched.wish, fetched.retrieved
    assert retrieved is not None
    if not wish.of_event:
        return key_of(fetched) is not None
    return not retrieved.gone and _DECODE_KIND(retrieved.body).object == wish.object_name


def fetched_record(fetched: Fetched, *, received_at: int, router: Router) -> Returned | None:
    """The inbox record of what was fetched; none if it has no place there.

    It goes through the inbox like any other observation, so that all that was ever published
    can be read there again.
    """
    wish, retrieved = fetched.wish, fetched.retrieved
    assert retrieved is not None
    if wish.of_event:
        return _event_record(fetched, received_at=received_at, router=router)
    key = key_of(fetched)
    if key is None:
        return None
    envelope = Envelope(
        kind=Kind.GONE if retrieved.gone else Kind.SNAPSHOT,
        source=Source.REFETCH,
        received_at=received_at,
        account_id=wish.account_id,
        observed_second=retrieved.observed_second,
        evidence=None if retrieved.gone else Evidence.RETRIEVE,
    )
    return Returned(
        partition=wish.partition if key == wish.key else ANY_PARTITION,
        key=key.encode(),
        value=retrieved.body,
        headers=envelope.headers(),
    )


def key_of(fetched: Fetched) -> str | None:
    """The record key of what was fetched; none if nothing tells it.

    Of some thin events only what they lead to tells the key, and what is gone shows nothing.
    """
    wish, retrieved = fetched.wish, fetched.retrieved
    assert retrieved is not None
    if not wish.keyed_by_body:
        return wish.key
    body = msgspec.json.decode(retrieved.body)
    if retrieved.gone or not isinstance(body, dict):
        return None
    try:
        object_type = load_catalogue().get(str(body.get("object", "")))
    except StrangeObjectName:
        return None
    return record_key(object_type, body, wish.account_id)


def wanted_record(wanted: Wanted, *, received_at: int) -> Returned:
    """The inbox record that asks for an object."""
    by = wanted.by
    envelope = Envelope(
        kind=Kind.WANTED,
        source=Source.REFETCH,
        received_at=received_at,
        account_id=by.account_id,
        observed_second=by.second,
    )
    return Returned(
        partition=ANY_PARTITION if wanted.partition is None else wanted.partition,
        key=wanted.key.encode(),
        value=wanted.value,
        headers=envelope.headers(),
    )


def sighted_record(sighting: Sighting) -> Returned:
    """The inbox record of an object that was shown in another one's list."""
    by = sighting.by
    envelope = Envelope(
        kind=Kind.SNAPSHOT,
        source=by.source,
        received_at=by.received_at,
        account_id=by.account_id,
        observed_second=by.second,
        evidence=Evidence.LIST,
    )
    return Returned(
        partition=ANY_PARTITION,
        key=sighting.child.key.encode(),
        value=sighting.child.value,
        headers=envelope.headers(),
    )


def _wish(candidate: Candidate, path: str) -> Wish:
    observation = candidate.observation
    ways = load_ways().get(observation.object_name)
    return Wish(
        name=candidate.name,
        key=observation.key,
        object_name=observation.object_name,
        path=path,
        object_id=object_id_of(observation.key),
        account_id=observation.account_id,
        partition=observation.partition,
        after_second=observation.second,
        # Where the lists of owned children are shown only on request, what is fetched has them.
        expand=ways.expand if ways is not None else (),
    )


def _thin_wish(candidate: Candidate) -> Wish | None:
    """What a thin event leads to: its whole event, itself with all it tells, or its object."""
    observation = candidate.observation
    if observation.event_id:
        path = f"/v1/events/{observation.event_id}"
        return _event_wish(candidate, EVENT_OBJECT, observation.event_id, path)
    event = decode_thin_event(observation.value)
    if tells_more(event, observation.source):
        path = f"/v2/core/events/{quote(event.id, safe='')}"
        return _event_wish(candidate, THIN_EVENT_OBJECT, event.id, path)
    return related_wish(candidate)


def _event_wish(candidate: Candidate, object_name: str, event_id: str, path: str) -> Wish:
    """An event; it will say the same whenever it is read."""
    observation = candidate.observation
    return Wish(
        name=f"event:{event_id}",
        key=observation.key,
        object_name=object_name,
        path=path,
        object_id=event_id,
        account_id=observation.account_id,
        partition=observation.partition,
        after_second=0,
        of_event=True,
        thin_event=observation.value,
    )


def _event_record(fetched: Fetched, *, received_at: int, router: Router) -> Returned | None:
    retrieved = fetched.retrieved
    assert retrieved is not None
    try:
        route = router.route(retrieved.body, account_id=fetched.wish.account_id)
    except RequestRefused:
        return None
    whole = route.kind is Kind.EVENT
    envelope = Envelope(
        kind=route.kind,
        source=Source.REFETCH,
        received_at=received_at,
        account_id=route.account_id,
        finer=finer_of(fetched.wish.thin_event, retrieved.body) if whole else None,
    )
    return Returned(
        partition=ANY_PARTITION,
        key=route.key.encode(),
        value=retrieved.body,
        headers=envelope.headers(),
    )


class _Kind(msgspec.Struct, gc=False):
    object: str = ""


_DECODE_KIND: Final = msgspec.json.Decoder(_Kind).decode
