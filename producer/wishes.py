"""From a candidate that only Stripe can settle to a wish, and from the answer to the inbox."""

from dataclasses import dataclass
from typing import Final

import msgspec

from producer.errors import RequestRefused
from producer.families import Sighting, Wanted
from producer.preparing import Candidate
from producer.reading import ThinEvent
from producer.refetch import Fetched, Wish
from producer.routing import Router
from schemas.endpoints import load_ways
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.objects import ID, load_catalogue, record_key
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
        if observation.event_id:
            return _event_wish(candidate)
        return related_wish(candidate)
    path = retrieve_path(observation.object_name, msgspec.json.decode(observation.body))
    return None if path is None else _wish(candidate, path)


def related_wish(candidate: Candidate) -> Wish | None:
    """The object that a thin event names; none if it names none."""
    related = _DECODE_THIN(candidate.observation.value).related_object
    if related is None or not related.url.startswith("/v"):
        return None
    return _wish(candidate, related.url)


def fetched_record(fetched: Fetched, *, received_at: int, router: Router) -> Returned | None:
    """The inbox record of what was fetched; none if it has no place there.

    It goes through the inbox like any other observation, so that all that was ever published
    can be read there again.
    """
    wish, retrieved = fetched.wish, fetched.retrieved
    assert retrieved is not None
    if wish.of_event:
        return _event_record(fetched, received_at=received_at, router=router)
    key = _key_of(fetched)
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
        object_id=observation.key.rpartition("/")[2],
        account_id=observation.account_id,
        partition=observation.partition,
        after_second=observation.second,
        # Where the lists of owned children are shown only on request, what is fetched has them.
        expand=ways.expand if ways is not None else (),
        of_thin_event=observation.kind is Kind.THIN_EVENT,
    )


def _event_wish(candidate: Candidate) -> Wish:
    """The whole event that goes with a thin one; it will say the same whenever it is read."""
    observation = candidate.observation
    event_id = observation.event_id
    return Wish(
        name=f"event:{event_id}",
        key=observation.key,
        object_name="event",
        path=f"/v1/events/{event_id}",
        object_id=event_id,
        account_id=observation.account_id,
        partition=observation.partition,
        after_second=0,
        of_event=True,
    )


def _event_record(fetched: Fetched, *, received_at: int, router: Router) -> Returned | None:
    retrieved = fetched.retrieved
    assert retrieved is not None
    try:
        route = router.route(retrieved.body, account_id=fetched.wish.account_id)
    except RequestRefused:
        return None
    envelope = Envelope(
        kind=route.kind,
        source=Source.REFETCH,
        received_at=received_at,
        account_id=route.account_id,
    )
    return Returned(
        partition=ANY_PARTITION,
        key=route.key.encode(),
        value=retrieved.body,
        headers=envelope.headers(),
    )


def _key_of(fetched: Fetched) -> str | None:
    """The record key of what was fetched; a thin event tells that of plain ids only."""
    wish, retrieved = fetched.wish, fetched.retrieved
    assert retrieved is not None
    object_type = load_catalogue().get(wish.object_name)
    by_id = object_type.key_rule is not None and object_type.key_rule.fields == (ID,)
    if by_id or not wish.of_thin_event:
        return wish.key
    if retrieved.gone:
        return None
    return record_key(object_type, msgspec.json.decode(retrieved.body), wish.account_id)


_DECODE_THIN: Final = msgspec.json.Decoder(ThinEvent).decode
