"""Items and lines of the simulated Stripe, through real processes into tables of their own."""

from collections.abc import Iterator

import pytest
from stripe import StripeClient

from simulator.server import Simulator
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.simulator.conftest import API_KEY, client_of
from tests.simulator.shop import Shop, items_of

pytestmark = pytest.mark.stack

OBJECTS = "customer,invoice,line_item,subscription,subscription_item"
LINES = 250


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as made:
        yield made


@pytest.fixture(scope="module")
def client(simulator: Simulator) -> StripeClient:
    return client_of(simulator)


@pytest.fixture(scope="module")
def installation(
    stack: Infrastructure, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation that the simulator tells everything."""
    folder = tmp_path_factory.mktemp("installation")
    with fresh_namespace(stack) as namespace, fresh_database(stack) as database_url:
        made = Installation(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=folder,
            OBJECTS=OBJECTS,
            STRIPE_API_KEY=API_KEY,
            STRIPE_API_BASE=simulator.url,
        )
        with made.running():
            address = f"http://127.0.0.1:{made.webhook.said('port')}/webhooks/stripe"
            simulator.send_webhooks_to(address, secrets=[WEBHOOK_SECRET])
            yield made


def test_an_invoice_of_250_lines_has_250_child_rows(
    installation: Installation, client: StripeClient
) -> None:
    customer = Shop(client).customer()
    invoice = client.v1.invoices.create(
        {"customer": customer.id, "pending_invoice_items_behavior": "exclude"}
    )
    for number in range(LINES):
        client.v1.invoice_items.create(
            {
                "customer": customer.id,
                "invoice": invoice.id,
                "amount": number + 1,
                "currency": "usd",
            }
        )
    client.v1.invoices.finalize_invoice(invoice.id)
    query = f"""
        select count(*) as lines, sum(line.amount) as total, max(invoice.total) as said,
               max(invoice.status) as status
        from stripe.invoice join stripe.line_item as line on line.invoice_id = invoice.id
        where invoice.id = '{invoice.id}' and line._deleted_at is null
    """
    total = LINES * (LINES + 1) // 2
    expected = {"lines": LINES, "total": total, "said": total, "status": "open"}
    eventually(
        lambda: installation.rows(query) == [expected],
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"each of {LINES} lines has its row",
        more=lambda: str(installation.rows(query)),
    )


def test_a_removed_subscription_item_leaves_its_table(
    installation: Installation, client: StripeClient
) -> None:
    shop = Shop(client)
    prices = [shop.price(amount=amount) for amount in (1_000, 2_000)]
    subscription = shop.subscription(items=[{"price": price.id} for price in prices])
    kept, removed = (item.id for item in items_of(subscription))
    query = f"""
        select id, _deleted_at is not null as deleted from stripe.subscription_item
        where subscription_id = '{subscription.id}' order by id
    """

    def await_rows(**expected: bool) -> None:
        rows = [{"id": name, "deleted": deleted} for name, deleted in sorted(expected.items())]
        eventually(
            lambda: installation.rows(query) == rows,
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the items' rows are as the subscription says",
            more=lambda: str(installation.rows(query)),
        )

    await_rows(**{kept: False, removed: False})
    client.v1.subscription_items.delete(removed)
    await_rows(**{kept: False, removed: True})
