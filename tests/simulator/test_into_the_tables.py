"""A disturbed year of the simulated Stripe, through webhook, relay and sink into the tables."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from simulator.faults import FaultPlan, WebhookFaults
from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.infrastructure import Infrastructure
from tests.simulator.conftest import API_KEY, client_of
from tests.simulator.shop import DAY_SECONDS, Shop

TABLES = {
    "charge": "charges",
    "customer": "customers",
    "invoice": "invoices",
    "payment_intent": "payment_intents",
    "price": "prices",
    "product": "products",
    "refund": "refunds",
    "subscription": "subscriptions",
}
COLUMNS = {
    "charge": ("amount_refunded", "refunded", "status"),
    "customer": ("currency", "name"),
    "invoice": ("amount_paid", "attempt_count", "status", "total"),
    "payment_intent": ("amount_received", "status"),
    "price": ("active", "unit_amount"),
    "product": ("active", "name"),
    "refund": ("amount", "status"),
    "subscription": ("cancel_at_period_end", "currency", "metadata", "status"),
}
FAULTS = FaultPlan(
    seed=11,
    webhooks=WebhookFaults(
        duplicated=0.2, late=0.2, late_seconds=2.0, reordered=0.4, reordered_seconds=1.0
    ),
)


def shown_by_stripe(url: str, name: str) -> dict[str, dict[str, Any]]:
    """What a list says of every object of a type, by id."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    query = {"limit": "100", **({"status": "all"} if name == "subscription" else {})}
    answer = httpx.get(f"{url}/v1/{TABLES[name]}", headers=headers, params=query)
    found = answer.json()
    assert not found["has_more"]
    return {
        body["id"]: {column: body[column] for column in COLUMNS[name]} for body in found["data"]
    }


def a_busy_quarter(simulator: Simulator) -> None:
    """Trials, renewals, declined cards, refunds and changes, many of them in one second."""
    client = client_of(simulator)
    shop = Shop(client)
    simulator.stop_clock()
    subscriptions = [shop.subscription(trial_period_days=7) for _ in range(3)]
    subscriptions += [shop.subscription() for _ in range(3)]
    subscriptions.append(shop.subscription(shop.customer(card="pm_card_chargeCustomerFail")))
    for number in range(4):
        for subscription in subscriptions[:4]:
            metadata = {"step": str(number)}
            client.v1.subscriptions.update(subscription.id, {"metadata": metadata})
    simulator.advance(seconds=40 * DAY_SECONDS)
    for charge in client.v1.charges.list({"limit": 3}).data:
        client.v1.refunds.create({"charge": charge.id, "amount": 100})
        client.v1.refunds.create({"charge": charge.id})
    client.v1.subscriptions.cancel(subscriptions[0].id)
    client.v1.subscriptions.update(subscriptions[1].id, {"cancel_at_period_end": True})
    simulator.start_clock()


@pytest.mark.stack
def test_a_disturbed_quarter_ends_in_the_tables_as_stripe_lists_it(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> None:
    with Simulator(Options(faults=FAULTS, webhook_retry_seconds=0.2)) as simulator:
        installation = Installation(
            stack, namespace=namespace, database_url=database_url, folder=tmp_path
        )
        environment = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": simulator.url}
        installation.relay = installation.service("producer", "relay", name="relay", **environment)
        with installation.running():
            port = installation.webhook.said("port")
            address = f"http://127.0.0.1:{port}/webhooks/stripe"
            simulator.send_webhooks_to(address, secrets=[WEBHOOK_SECRET], lanes=4)

            a_busy_quarter(simulator)
            assert simulator.settle(seconds=120)

            for name in TABLES:
                expected = shown_by_stripe(simulator.url, name)
                query = f"select id, {', '.join(COLUMNS[name])} from stripe.{name}"

                def rows(query: str = query) -> dict[str, dict[str, Any]]:
                    found = installation.rows(query)
                    return {row.pop("id"): row for row in found}

                eventually(
                    lambda: rows() == expected,  # noqa: B023 - called within this turn
                    seconds_max=ARRIVE_SECONDS_MAX,
                    what=f"{len(expected)} rows of {name} are as Stripe lists them",
                )
                assert expected
