"""Several receivers of events, each with its own wishes."""

from collections.abc import Iterator

import pytest
import stripe
from stripe import StripeClient

from simulator.endpoints import Endpoint, Envelope
from simulator.faults import FaultPlan, WebhookFaults
from simulator.server import Simulator
from tests.simulator.receiver import Receiver, answering

OTHER_SECRET = "whsec_other"


@pytest.fixture
def other() -> Iterator[Receiver]:
    receiver = Receiver(secret=OTHER_SECRET)
    yield receiver
    receiver.stop()


def register(client: StripeClient, receiver: Receiver, **fields: object) -> stripe.WebhookEndpoint:
    """An endpoint made by the API; the receiver knows its secret from now on."""
    given = {"enabled_events": ["*"], "url": receiver.url, **fields}
    made = client.v1.webhook_endpoints.create(given)  # type: ignore[arg-type]
    assert made.secret is not None
    receiver.secret = made.secret
    return made


def test_each_endpoint_gets_what_it_asked_for_signed_with_its_own_secret(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    register(client, other, enabled_events=["product.created"])

    client.v1.customers.create({})
    client.v1.products.create({"name": "Basic"})
    simulator.settle()

    assert receiver.types == ["customer.created", "product.created"]
    assert other.types == ["product.created"]
    assert receiver.refused == other.refused == []
    assert other.events[0]["id"] == receiver.events[1]["id"]


def test_the_secret_is_told_once(client: StripeClient, other: Receiver) -> None:
    made = register(client, other, description="mine")

    seen = client.v1.webhook_endpoints.retrieve(made.id)
    assert (seen.description, seen.status) == ("mine", "enabled")
    assert "secret" not in seen.to_dict()
    (listed,) = client.v1.webhook_endpoints.list().data
    assert listed.to_dict() == seen.to_dict()


def test_an_endpoint_keeps_the_version_it_was_made_with(
    simulator: Simulator, client: StripeClient, other: Receiver
) -> None:
    made = register(client, other, api_version="2024-06-20")

    client.v1.customers.create({})
    simulator.settle()

    assert made.api_version == other.events[0]["api_version"] == "2024-06-20"
    assert "business_name" not in other.events[0]["data"]["object"]


def test_a_disabled_or_deleted_endpoint_gets_nothing_more(
    simulator: Simulator, client: StripeClient, other: Receiver
) -> None:
    made = register(client, other)
    client.v1.webhook_endpoints.update(made.id, {"disabled": True})
    client.v1.customers.create({"name": "missed"})

    client.v1.webhook_endpoints.update(made.id, {"disabled": False})
    client.v1.customers.create({"name": "seen"})
    simulator.settle()
    assert client.v1.webhook_endpoints.delete(made.id).deleted
    client.v1.customers.create({"name": "late"})
    simulator.settle()

    assert [event["data"]["object"]["name"] for event in other.events] == ["seen"]


def test_an_endpoint_can_be_changed(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    made = register(client, other, enabled_events=["price.created"])
    changed = {"enabled_events": ["customer.created"], "metadata": {"a": "1"}}
    client.v1.webhook_endpoints.update(made.id, changed)  # type: ignore[arg-type]

    client.v1.customers.create({})
    simulator.settle()

    assert other.types == ["customer.created"]


def test_an_endpoint_needs_a_url_and_a_version_there_is(client: StripeClient) -> None:
    for fields in ({"url": "nowhere"}, {"api_version": "2999-01-01"}):
        given = {"enabled_events": ["*"], "url": "https://example.com", **fields}
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.webhook_endpoints.create(given)  # type: ignore[arg-type]


def test_events_of_connected_accounts_go_to_connect_endpoints_only(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    register(client, other, connect=True)
    account = client.v1.accounts.create({"country": "DE"})

    client.v1.customers.create({"name": "mine"})
    client.v1.customers.create({"name": "theirs"}, {"stripe_account": account.id})
    simulator.settle()

    assert [event["data"]["object"]["name"] for event in receiver.events] == ["mine"]
    (event,) = [event for event in other.events if event["type"] == "customer.created"]
    assert (event["account"], event["data"]["object"]["name"]) == (account.id, "theirs")


def test_an_account_that_leaves_says_so_last(
    simulator: Simulator, client: StripeClient, other: Receiver
) -> None:
    register(client, other, connect=True)
    account = client.v1.accounts.create({"country": "DE"})

    client.v1.accounts.delete(account.id)
    simulator.settle()

    (event,) = other.events
    assert (event["type"], event["account"]) == (
        "account.application.deauthorized",
        account.id,
    )


def test_an_event_is_pending_until_every_endpoint_has_it(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    register(client, other)
    other.answers.extend([500] * 3)
    simulator.hold_webhooks()
    client.v1.customers.create({})

    (event,) = client.v1.events.list().data
    assert event.pending_webhooks == 2
    assert not client.v1.events.list({"delivery_success": True}).data
    simulator.release_webhooks()
    receiver.wait_for("customer.created")
    other.wait_for("customer.created")
    simulator.settle()

    assert client.v1.events.retrieve(event.id).pending_webhooks == 0


def test_a_reset_forgets_the_endpoints_made_by_the_api_and_keeps_the_others(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    register(client, other)

    simulator.reset()
    client.v1.customers.create({})
    simulator.settle()

    assert client.v1.webhook_endpoints.list().data == []
    assert (len(receiver.events), len(other.events)) == (1, 0)


def test_faults_strike_each_endpoint_by_itself(
    simulator: Simulator, client: StripeClient, receiver: Receiver, other: Receiver
) -> None:
    endpoint = Endpoint(name="second", url=other.url, secrets=(OTHER_SECRET,))
    simulator.put_endpoint(endpoint)
    simulator.put_faults(FaultPlan(seed=3, webhooks=WebhookFaults(dropped=0.5)))

    for _ in range(30):
        client.v1.customers.create({})
    simulator.settle()

    received = [{event["id"] for event in each.events} for each in (receiver, other)]
    assert received[0] != received[1]
    dropped = [one for one in simulator.deliveries() if one["standing"] == "dropped"]
    assert {one["endpoint"] for one in dropped} == {"", "second"}


@pytest.mark.parametrize("envelope", [Envelope.AMAZON_EVENTBRIDGE, Envelope.AZURE_EVENT_GRID])
def test_an_envelope_is_opened_by_stripes_own_library(
    simulator: Simulator, client: StripeClient, envelope: Envelope
) -> None:
    with answering() as (url, requests):
        bus = Endpoint(name="bus", url=url, secrets=("key",), envelope=envelope)
        simulator.put_endpoint(bus)
        made = client.v1.customers.create({})
        simulator.settle()

    ((headers, body),) = requests
    assert headers["authorization"] == "Bearer key"
    assert "stripe-signature" not in headers
    event = client.construct_event_without_verification(body)
    assert event.data.to_dict()["object"]["id"] == made.id
    simulator.put_endpoint(Endpoint(name="bus", url=""))
