"""API versions: what a request, the account and an endpoint ask for."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from stripe import InvalidRequestError, StripeClient

from simulator.endpoints import Endpoint
from simulator.events import API_VERSION
from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.conftest import START_SECONDS, client_of
from tests.simulator.receiver import Receiver
from tests.simulator.shop import DAY_SECONDS, Shop, previous, subject

ACACIA = "2025-02-24.acacia"
BASIL = "2025-08-27.basil"
OLD_SECRET = "whsec_old"


@pytest.fixture
def old_account() -> Iterator[Simulator]:
    """A simulator whose account is in an old version."""
    with Simulator(Options(start_seconds=START_SECONDS, api_version=ACACIA)) as running:
        yield running


@pytest.fixture
def old_endpoint(simulator: Simulator) -> Iterator[Receiver]:
    receiver = Receiver(secret=OLD_SECRET)
    endpoint = Endpoint(name="old", url=receiver.url, secrets=(OLD_SECRET,), api_version=ACACIA)
    simulator.put_endpoint(endpoint)
    yield receiver
    receiver.stop()


def shown(http: httpx.Client, path: str, version: str) -> dict[str, Any]:
    """The newest element of a list in a version."""
    answer = http.get(f"/v1/{path}", headers={"Stripe-Version": version})
    assert answer.headers["Stripe-Version"] == version
    found: dict[str, Any] = answer.json()["data"][0]
    return found


@pytest.fixture
def discounted(client: StripeClient, shop: Shop) -> str:
    """The id of a subscription with a coupon and a paid invoice."""
    coupon = client.v1.coupons.create({"id": "HALF", "percent_off": 50, "duration": "forever"})
    promotion: Any = {"type": "coupon", "coupon": coupon.id}
    code = client.v1.promotion_codes.create({"promotion": promotion})
    return shop.subscription(discounts=[{"promotion_code": code.id}]).id


def test_a_request_gets_the_shape_of_the_version_it_asks_for(
    http: httpx.Client, discounted: str
) -> None:
    new, old = (shown(http, "subscriptions", version) for version in (API_VERSION, ACACIA))

    assert new["id"] == old["id"] == discounted
    (item,) = new["items"]["data"]
    assert old["current_period_end"] == item["current_period_end"]
    assert "current_period_end" not in new
    assert "current_period_end" not in old["items"]["data"][0]
    assert new["discounts"] == [old["discount"]["id"]]
    assert old["discount"]["coupon"]["percent_off"] == 50
    assert "billing_mode" not in old


def test_an_invoice_tells_what_it_told(http: httpx.Client, discounted: str) -> None:
    old = shown(http, "invoices", ACACIA)

    charge = shown(http, "charges", ACACIA)
    intent = shown(http, "payment_intents", ACACIA)
    assert old["subscription"] == discounted
    assert (old["charge"], old["payment_intent"]) == (charge["id"], intent["id"])
    assert charge["invoice"] == intent["invoice"] == old["id"]
    assert (old["paid"], old["tax"]) == (True, None)
    assert {"parent", "total_taxes"}.isdisjoint(old)
    (line,) = old["lines"]["data"]
    assert (line["type"], line["proration"]) == ("subscription", False)
    assert (line["price"]["object"], line["plan"]["object"]) == ("price", "plan")
    assert {"parent", "pricing"}.isdisjoint(line)


def test_a_discount_held_its_coupon_until_clover(http: httpx.Client, discounted: str) -> None:
    old, new = (shown(http, "promotion_codes", version) for version in (BASIL, API_VERSION))

    assert old["coupon"]["id"] == new["promotion"]["coupon"] == "HALF"
    assert "promotion" not in old
    assert shown(http, "subscriptions", BASIL)["id"] == discounted
    assert "business_name" not in shown(http, "customers", BASIL)


@pytest.mark.parametrize(
    ("version", "sent"), [("2022-08-01", True), ("2022-11-15", False), (ACACIA, False)]
)
def test_lists_that_were_sent_unasked_are(
    http: httpx.Client, discounted: str, version: str, sent: bool
) -> None:
    assert discounted
    charge = shown(http, "charges", version)
    intent = shown(http, "payment_intents", version)

    assert ("refunds" in charge) is sent
    assert ("latest_charge" in intent) is not sent
    if sent:
        assert intent["charges"]["data"][0]["id"] == charge["id"]
    assert ("subscriptions" in shown(http, "customers", version)) is False


def test_a_body_of_2019_has_what_it_had(http: httpx.Client, discounted: str) -> None:
    old = shown(http, "subscriptions", "2019-02-11")
    customer = shown(http, "customers", "2019-02-11")

    assert (old["billing"], old["quantity"]) == ("charge_automatically", 1)
    assert old["plan"]["object"] == "plan"
    assert "price" not in old["items"]["data"][0]
    assert (customer["account_balance"], customer["sources"]["data"]) == (0, [])
    assert [one["id"] for one in customer["subscriptions"]["data"]] == [discounted]


@pytest.mark.parametrize("version", ["2999-01-01", "yesterday"])
def test_a_version_that_there_is_not_is_refused(client: StripeClient, version: str) -> None:
    with pytest.raises(InvalidRequestError, match="Invalid Stripe API version"):
        client.v1.customers.list({}, {"stripe_version": version})


def test_the_accounts_version_is_that_of_its_events_whatever_asks_for_them(
    old_account: Simulator,
) -> None:
    client = client_of(old_account)
    made = Shop(client).subscription()

    (event,) = client.v1.events.list({"type": "customer.subscription.created"}).data

    assert event.api_version == ACACIA
    assert "current_period_end" in subject(event)
    assert "billing_mode" not in subject(event)
    assert "billing_mode" in client.v1.subscriptions.retrieve(made.id).to_dict()
    answer = httpx.get(
        f"{old_account.url}/v1/subscriptions", headers={"Authorization": "Bearer sk_test_x"}
    )
    assert answer.headers["Stripe-Version"] == ACACIA
    assert "current_period_end" in answer.json()["data"][0]


def test_each_endpoint_gets_an_event_in_its_own_version(
    simulator: Simulator,
    shop: Shop,
    receiver: Receiver,
    old_endpoint: Receiver,
) -> None:
    shop.subscription()
    simulator.settle()
    new, old = (
        next(event for event in each.events if event["type"] == "customer.subscription.created")
        for each in (receiver, old_endpoint)
    )

    assert new["id"] == old["id"]
    assert (new["api_version"], old["api_version"]) == (API_VERSION, ACACIA)
    assert "current_period_end" in old["data"]["object"]
    assert "current_period_end" not in new["data"]["object"]


def test_what_was_before_is_told_in_the_same_shape(
    simulator: Simulator, shop: Shop, receiver: Receiver, old_endpoint: Receiver
) -> None:
    shop.subscription(trial_period_days=7)
    simulator.advance(seconds=8 * DAY_SECONDS)
    simulator.settle()
    new, old = (
        [event for event in each.events if event["type"] == "customer.subscription.updated"][-1]
        for each in (receiver, old_endpoint)
    )

    before_new = new["data"]["previous_attributes"]
    before_old = old["data"]["previous_attributes"]
    assert "current_period_end" in before_old
    assert "current_period_end" in before_new["items"]["data"][0]
    assert "current_period_end" not in before_new
    assert before_old["status"] == before_new["status"] == "trialing"


def test_objects_are_kept_in_the_newest_shape(
    client: StripeClient, shop: Shop, discounted: str
) -> None:
    options: Any = {"stripe_version": ACACIA}
    client.v1.subscriptions.update(discounted, {"metadata": {"a": "1"}}, options)

    updated = shop.events("customer.subscription.updated")[-1]
    assert updated.api_version == API_VERSION
    assert previous(updated) == {"metadata": {"a": None}}
