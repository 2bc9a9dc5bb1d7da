"""Every event type that the pinned package knows becomes a change of the right object."""

from typing import Any, get_args

import pytest
import stripe

from producer.observation import DELETED_BUT_LIVES, Observation
from producer.reading import InboxRecord, ObservationReader
from producer.routing import Router
from schemas.generate_annotations import own_annotations
from schemas.inbox import Envelope, Kind, Source
from schemas.meta import Operation
from schemas.objects import load_catalogue
from tests.producer_webhook.requests import about, encoded

CATALOGUE = load_catalogue()
EVENT_TYPES: tuple[str, ...] = get_args(own_annotations(stripe.Event)["type"])
NOT_STORED = {"billing.alert.triggered"}
"""What such an event carries has no id: it is kept in the inbox, and has no row."""


def seen(event_type: str, body: dict[str, Any], account: str = "") -> Observation | None:
    """What the relay reads where the webhook stored the event."""
    event = encoded(about(body, type=event_type, account=account or None))
    route = Router(catalogue=CATALOGUE).route(event)
    envelope = Envelope(
        kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1, account_id=route.account_id
    )
    record = InboxRecord(
        key=route.key.encode(), value=event, headers=envelope.headers(), partition=0, offset=0
    )
    return ObservationReader(catalogue=CATALOGUE).read(record)


def body_of(object_name: str) -> dict[str, Any]:
    rule = CATALOGUE.get(object_name).key_rule
    fields = rule.fields if rule is not None else ()
    return {"object": object_name, **{field: f"{field}_1" for field in fields}}


def test_the_catalogue_knows_every_event_type_of_the_package() -> None:
    assert len(EVENT_TYPES) == 275
    assert set(EVENT_TYPES) == set(CATALOGUE.event_types())


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_an_event_is_a_change_of_the_object_that_its_body_names(event_type: str) -> None:
    told = CATALOGUE.event_objects(event_type)
    assert told
    for object_name in told:
        observation = seen(event_type, body_of(object_name), account="acct_1")

        if event_type in NOT_STORED:
            assert observation is None
            continue
        assert observation is not None
        assert observation.object_name == object_name
        assert observation.key.startswith("acct_1/")
        assert observation.operation is claimed(event_type)


@pytest.mark.parametrize("event_type", ["customer.source.updated", "charge.refunded"])
def test_the_body_decides_where_it_is_not_what_the_catalogue_expects(event_type: str) -> None:
    observation = seen(event_type, {"object": "acme.widget", "id": "wid_1"})

    assert observation is not None
    assert (observation.object_name, observation.key) == ("acme.widget", "wid_1")


def test_an_upcoming_invoice_is_no_stored_object() -> None:
    assert seen("invoice.upcoming", {"object": "invoice", "amount_due": 5}) is None
    assert seen("invoice.upcoming", {"object": "invoice", "id": "upcoming_in_5"}) is None


def claimed(event_type: str) -> Operation:
    if event_type in DELETED_BUT_LIVES:
        return Operation.UPDATED
    words = {"created": Operation.CREATED, "deleted": Operation.DELETED}
    return words.get(event_type.rpartition(".")[2], Operation.UPDATED)
