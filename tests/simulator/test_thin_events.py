"""Thin events: as Stripe's own library reads them, and fetched as it fetches them."""

from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe import StripeClient
from stripe.events import _event_classes

from schemas.objects import load_catalogue
from simulator.endpoints import Endpoint, Envelope, Payload
from simulator.server import Simulator
from simulator.thin import SNAPSHOTS_ONLY, WITHOUT_ID, WITHOUT_OBJECT, has_thin
from tests.simulator.receiver import Receiver, answering
from tests.simulator.shop import Shop

THIN_SECRET = "whsec_thin"


@pytest.fixture
def thin() -> Iterator[Receiver]:
    receiver = Receiver(secret=THIN_SECRET)
    yield receiver
    receiver.stop()


def destination(client: StripeClient, receiver: Receiver, **fields: Any) -> str:
    """The id of a new destination of thin events; the receiver knows its secret from now on."""
    given: Any = {
        "enabled_events": ["*"],
        "event_payload": "thin",
        "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
        "name": "thin ones",
        "type": "webhook_endpoint",
        "webhook_endpoint": {"url": receiver.url},
        **fields,
    }
    made = client.v2.core.event_destinations.create(given)
    assert made.webhook_endpoint is not None
    assert made.webhook_endpoint.url == receiver.url
    receiver.secret = str(made.webhook_endpoint.signing_secret)
    return made.id


def parsed(client: StripeClient, receiver: Receiver) -> list[Any]:
    """What was received, read and checked by Stripe's library."""
    return [
        client.parse_event_notification(body, signature, receiver.secret)
        for body, signature in zip(receiver.bodies, receiver.signatures, strict=True)
    ]


def test_the_library_reads_and_follows_a_thin_event(
    simulator: Simulator, client: StripeClient, thin: Receiver
) -> None:
    destination(client, thin)
    made = client.v1.customers.create({"name": "first"})
    client.v1.customers.update(made.id, {"name": "second"})
    simulator.settle()

    created, updated = parsed(client, thin)

    assert (created.type, updated.type) == ("v1.customer.created", "v1.customer.updated")
    assert (created.related_object.id, created.related_object.type) == (made.id, "customer")
    assert updated.fetch_related_object().name == "second"
    event = updated.fetch_event()
    assert event.type == "v1.customer.updated"
    assert event.changes.to_dict() == {"before": {"name": "first"}, "after": {"name": "second"}}
    assert event.fetch_related_object().id == made.id
    snapshot = client.v1.events.retrieve(event.snapshot_event)
    assert (snapshot.type, snapshot.created) == ("customer.updated", snapshot.created)


def test_thin_events_of_one_second_have_times_of_their_own(
    simulator: Simulator, client: StripeClient
) -> None:
    second = simulator.stop_clock()
    for _ in range(5):
        client.v1.customers.create({})

    times = [event.created for event in client.v2.core.events.list({}).data]

    assert times == sorted(set(times), reverse=True)
    assert len({time[:19] for time in times}) == 1
    assert client.v1.events.list({"limit": 1}).data[0].created == second


def test_a_thin_event_of_an_account_names_it_as_context(
    simulator: Simulator, client: StripeClient, thin: Receiver
) -> None:
    destination(client, thin, events_from=["@self", "@accounts"])
    account = client.v1.accounts.create({"country": "DE"})
    client.v1.customers.create({"name": "mine"})
    client.v1.customers.create({"name": "theirs"}, {"stripe_account": account.id})
    simulator.settle()

    mine, theirs = parsed(client, thin)

    assert mine.context is None
    assert str(theirs.context) == account.id
    assert theirs.fetch_related_object().name == "theirs"
    assert theirs.fetch_event().context == account.id
    assert [event.id for event in client.v2.core.events.list({}).data] == [mine.id]


def test_thin_events_are_listed_and_filtered(client: StripeClient) -> None:
    customers = [client.v1.customers.create({}) for _ in range(3)]
    client.v1.products.create({"name": "Basic"})
    events = client.v2.core.events

    types = [event.type for event in events.list({}).data]
    assert types == ["v1.product.created", *["v1.customer.created"] * 3]
    paged = events.list({"limit": 1, "types": ["v1.customer.created"]})
    found = [event for event in paged.auto_paging_iter()]  # noqa: C416 - pages are read here
    assert len(found) == 3
    (one,) = events.list({"object_id": customers[1].id}).data
    assert one.id == found[1].id
    later = events.list({"created": {"gt": found[1].created}}).data
    assert [event.type for event in later] == ["v1.product.created", "v1.customer.created"]


def test_thin_events_are_kept_for_thirty_days(simulator: Simulator, client: StripeClient) -> None:
    client.v1.customers.create({})
    (event,) = client.v2.core.events.list({}).data
    simulator.advance(seconds=31 * 86_400)

    assert client.v2.core.events.list({}).data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v2.core.events.retrieve(event.id)


def test_a_destination_is_changed_switched_and_deleted(
    simulator: Simulator, client: StripeClient, thin: Receiver
) -> None:
    destinations = client.v2.core.event_destinations
    made = destination(client, thin, enabled_events=["v1.product.created"])
    seen = destinations.retrieve(made)
    assert (seen.event_payload, seen.status) == ("thin", "enabled")
    assert seen.webhook_endpoint is not None
    assert (seen.webhook_endpoint.signing_secret, seen.webhook_endpoint.url) == (None, None)

    destinations.update(made, {"enabled_events": ["v1.customer.created"]})
    destinations.disable(made)
    client.v1.customers.create({"name": "missed"})
    destinations.enable(made)
    seen_by = client.v1.customers.create({"name": "seen"})
    simulator.settle()
    assert [one.id for one in destinations.list({}).data] == [made]
    assert destinations.delete(made).id == made
    client.v1.customers.create({"name": "late"})
    simulator.settle()

    (event,) = parsed(client, thin)
    assert event.related_object.id == seen_by.id
    assert destinations.list({}).data == []


def test_a_destination_may_take_snapshots_of_a_version(
    simulator: Simulator, client: StripeClient, thin: Receiver
) -> None:
    destination(client, thin, event_payload="snapshot", snapshot_api_version="2026-10-28.endive")
    client.v1.customers.create({})
    simulator.settle()

    assert thin.types == ["customer.created"]


def test_details_can_be_left_to_the_fetched_event(
    simulator: Simulator, client: StripeClient, thin: Receiver
) -> None:
    endpoint = Endpoint(
        name="thin",
        url=thin.url,
        secrets=(THIN_SECRET,),
        payload=Payload.THIN,
        thin_details=False,
    )
    simulator.put_endpoint(endpoint)
    client.v1.customers.create({})
    simulator.settle()

    (body,) = thin.events
    assert "snapshot_event" not in body
    (event,) = parsed(client, thin)
    assert event.fetch_event().snapshot_event.startswith("evt_")


def test_a_thin_event_without_a_snapshot_can_be_said(
    simulator: Simulator, client: StripeClient, shop: Shop, thin: Receiver
) -> None:
    destination(client, thin)
    subscription = shop.subscription()
    simulator.settle()
    before = len(shop.kinds())

    simulator.say_thin("customer.subscription.item_added", "subscription", subscription.id)
    simulator.settle()

    event = parsed(client, thin)[-1]
    assert event.type == "v1.customer.subscription.item_added"
    assert event.fetch_related_object().id == subscription.id
    assert "snapshot_event" not in thin.events[-1]
    assert len(shop.kinds()) == before


@pytest.mark.parametrize("envelope", [Envelope.AMAZON_EVENTBRIDGE, Envelope.AZURE_EVENT_GRID])
def test_an_enveloped_thin_event_is_read_by_the_library(
    simulator: Simulator, client: StripeClient, envelope: Envelope
) -> None:
    with answering() as (url, requests):
        bus = Endpoint(
            name="bus", url=url, secrets=("key",), payload=Payload.THIN, envelope=envelope
        )
        simulator.put_endpoint(bus)
        made = client.v1.customers.create({})
        simulator.settle()
        simulator.put_endpoint(Endpoint(name="bus", url=""))

    ((_, body),) = requests
    event: Any = client.parse_event_notification_without_verification(body)
    assert event.fetch_related_object().id == made.id


def test_every_type_of_event_has_a_thin_one_where_stripe_has_one() -> None:
    known = set(_event_classes._V2_EVENT_NOTIFICATION_CLASS_LOOKUP)
    wrong = {
        kind
        for kind in load_catalogue().event_types()
        if has_thin(kind) is not (f"v1.{kind}" in known)
    }

    assert wrong == set()
    assert not any(kind.removeprefix("v1.").startswith(SNAPSHOTS_ONLY) for kind in known)


def test_a_thin_event_names_its_object_as_stripes_does(client: StripeClient) -> None:
    body = {
        "id": "evt_1",
        "object": "v2.core.event",
        "created": "2026-11-22T10:00:00.000Z",
        "livemode": False,
    }
    read = stripe.v2.core.EventNotification.from_json
    for kind in filter(has_thin, load_catalogue().event_types()):
        bare = {**body, "type": f"v1.{kind}"}
        without_id = {**bare, "related_object": {"type": "any", "url": "/v1/any"}}
        if kind.startswith(WITHOUT_OBJECT):
            assert not hasattr(read(bare, client), "related_object")
        elif kind.startswith(WITHOUT_ID):
            assert read(without_id, client).related_object.url == "/v1/any"  # type: ignore[attr-defined]
        else:
            with pytest.raises(KeyError):
                read(without_id, client)


def test_a_discounts_thin_event_leads_to_it(
    simulator: Simulator, client: StripeClient, thin: Receiver, shop: Shop
) -> None:
    destination(client, thin, enabled_events=["v1.customer.discount.created"])
    client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever"})
    customer = shop.customer()
    shop.subscription(customer, discounts=[{"coupon": "HALF"}])
    simulator.settle()

    (event,) = parsed(client, thin)
    assert event.related_object.type == "discount"
    assert event.related_object.url == f"/v1/customers/{customer.id}/discount"
