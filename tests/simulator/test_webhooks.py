"""Webhooks: signatures, order, retries and the ways to disturb them."""

import json

import httpx
import pytest
from stripe import SignatureVerificationError, StripeClient, WebhookSignature

from simulator.deliveries import Release
from simulator.faults import FaultPlan, Faults, WebhookFaults
from simulator.server import Simulator
from simulator.signature import signature_header
from simulator.simulation import Options
from tests.simulator.conftest import client_of
from tests.simulator.receiver import OLD_SECRET, SECRET, Receiver
from tests.simulator.shop import Shop


def make_customers(client: StripeClient, count: int) -> list[str]:
    return [client.v1.customers.create({"name": str(number)}).id for number in range(count)]


def names(receiver: Receiver) -> list[str]:
    """The names of the customers in the order in which their webhooks arrived."""
    return [event["data"]["object"]["name"] for event in receiver.events]


def test_webhooks_are_signed_and_arrive_in_order(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    make_customers(client, 30)

    assert simulator.settle()

    assert receiver.refused == []
    assert names(receiver) == [str(number) for number in range(30)]


def test_a_webhooks_body_is_the_event_as_listed(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    make_customers(client, 1)
    simulator.settle()

    (body,) = receiver.bodies
    sent = json.loads(body)

    listed = client.v1.events.retrieve(sent["id"]).to_dict()
    assert sent == {**listed, "pending_webhooks": 1}
    assert body.startswith(b'{\n  "id": "evt_')


def test_each_secret_signs_while_one_is_replaced() -> None:
    header = signature_header(b"{}", secrets=(SECRET, OLD_SECRET), at=1_000)

    for secret in (SECRET, OLD_SECRET):
        assert WebhookSignature.verify_header("{}", header, secret)
    with pytest.raises(SignatureVerificationError):
        WebhookSignature.verify_header("{}", header, "whsec_other")


def test_a_refused_webhook_is_sent_again_and_holds_nothing_up(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    receiver.answers.extend([503, 200, 500])

    first, second = make_customers(client, 2)
    assert simulator.settle()

    assert sorted(receiver.types) == ["customer.created", "customer.created"]
    deliveries = simulator.deliveries()
    outcomes = [outcome for delivery in deliveries for outcome in delivery["outcomes"]]
    assert sorted(outcomes) == ["200", "200", "500", "503"]
    assert [delivery["object"] for delivery in deliveries] == [first, second]


def test_an_endpoint_that_is_away_gets_its_webhooks_when_it_is_back() -> None:
    options = Options(webhook_url="http://127.0.0.1:9/gone", webhook_retry_seconds=0.01)
    with Simulator(options) as simulator:
        make_customers(client_of(simulator), 1)

        assert not simulator.settle(seconds=0.1)

        (delivery,) = simulator.deliveries()
        assert delivery["standing"] == "waiting"
        assert set(delivery["outcomes"]) == {"ConnectionRefusedError"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [(Release.CREATED, ["0", "1", "2", "3"]), (Release.REVERSED, ["3", "2", "1", "0"])],
)
def test_held_webhooks_are_released_in_the_asked_order(
    simulator: Simulator,
    client: StripeClient,
    receiver: Receiver,
    order: Release,
    expected: list[str],
) -> None:
    simulator.hold_webhooks()
    make_customers(client, 4)
    assert simulator.settle()
    assert receiver.events == []

    assert simulator.release_webhooks(order) == 4
    simulator.settle()

    assert names(receiver) == expected


def test_a_shuffle_repeats_for_its_seed(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    orders = []
    for seed in (5, 5, 6):
        receiver.bodies.clear()
        simulator.hold_webhooks()
        make_customers(client, 12)
        simulator.release_webhooks(Release.SHUFFLED, seed=seed)
        simulator.settle()
        orders.append(names(receiver))

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0], key=int) == [str(number) for number in range(12)]


def test_dropped_webhooks_never_arrive_but_can_be_resent(
    simulator: Simulator, client: StripeClient, receiver: Receiver, shop: Shop
) -> None:
    simulator.drop_webhooks(1)
    make_customers(client, 2)
    simulator.settle()
    assert names(receiver) == ["1"]

    simulator.resend([shop.events()[0].id])
    simulator.settle()

    assert names(receiver) == ["1", "0"]


def test_webhooks_can_be_sent_elsewhere(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    elsewhere = Receiver(secret="whsec_elsewhere")
    simulator.send_webhooks_to(elsewhere.url, secrets=["whsec_elsewhere"])

    make_customers(client, 1)
    simulator.settle()

    assert (len(elsewhere.events), len(receiver.events)) == (1, 0)
    elsewhere.stop()


def test_an_address_that_is_none_is_refused(http: httpx.Client) -> None:
    answer = http.post("/_simulator/webhooks", json={"url": "https:///nowhere"})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "url"


def test_held_webhooks_are_lost_where_none_are_wanted_any_more(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    simulator.hold_webhooks()
    make_customers(client, 2)
    simulator.send_webhooks_to("", secrets=[SECRET])

    assert simulator.release_webhooks() == 0

    assert simulator.settle()
    assert receiver.events == []


def test_a_plan_duplicates_and_drops_its_share_of_webhooks(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    faults = WebhookFaults(duplicated=0.5, dropped=0.3)
    simulator.put_faults(FaultPlan(seed=3, webhooks=faults))

    made = make_customers(client, 40)
    simulator.settle()

    arrived = [event["data"]["object"]["id"] for event in receiver.events]
    assert len(arrived) > len(set(arrived))
    assert set(arrived) < set(made)


def test_a_plan_reorders_and_delays_webhooks_without_losing_any(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    faults = WebhookFaults(reordered=0.5, reordered_seconds=0.2, late=0.2, late_seconds=0.2)
    simulator.put_faults(FaultPlan(seed=3, webhooks=faults))

    make_customers(client, 30)
    assert simulator.settle()

    assert sorted(names(receiver), key=int) == [str(number) for number in range(30)]
    assert names(receiver) != [str(number) for number in range(30)]


def test_the_faults_of_a_webhook_depend_on_the_seed_and_the_event_alone() -> None:
    webhooks = WebhookFaults(duplicated=0.5, dropped=0.2, late=0.3, reordered=0.3)
    events = [f"evt_{number}" for number in range(50)]
    one, same, other = (Faults(FaultPlan(seed=seed, webhooks=webhooks)) for seed in (1, 1, 2))

    drawn = {event: one.delays(event) for event in events}

    assert {event: same.delays(event) for event in reversed(events)} == drawn
    assert {event: other.delays(event) for event in events} != drawn


def test_several_lanes_keep_each_objects_webhooks_in_order(receiver: Receiver) -> None:
    options = Options(webhook_url=receiver.url, webhook_secrets=(SECRET,), webhook_lanes=8)
    with Simulator(options) as simulator:
        client = client_of(simulator)
        made = make_customers(client, 5)
        for number in range(10):
            for identifier in made:
                client.v1.customers.update(identifier, {"name": f"update {number}"})
        simulator.settle()

    for identifier in made:
        bodies = [event["data"]["object"] for event in receiver.events]
        mine = [body["name"] for body in bodies if body["id"] == identifier]
        assert mine[1:] == [f"update {number}" for number in range(10)]


def test_a_reset_forgets_everything_and_begins_the_same_ids_again(
    simulator: Simulator, client: StripeClient, receiver: Receiver
) -> None:
    before = make_customers(client, 3)
    simulator.settle()

    simulator.reset()

    assert client.v1.customers.list().data == []
    assert simulator.deliveries() == []
    assert make_customers(client, 3) == before
    simulator.settle()
    assert len(receiver.events) == 6
