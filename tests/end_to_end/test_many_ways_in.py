"""The simulated Stripe with its accounts and all its ways in, through real processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from stripe import Account, RequestOptions, StripeClient

from simulator.endpoints import Endpoint, Envelope, Payload
from simulator.events import API_VERSION
from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import Service, eventually, running
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.simulator.conftest import API_KEY, client_of
from tests.simulator.shop import Shop

pytestmark = pytest.mark.stack

OBJECTS = (
    "account,bank_account,coupon,customer,discount,invoice,invoice_payment,person,subscription,"
    "subscription_item"
)
BUS_KEY = "the-key-of-both-event-buses"
ONE_WAY: dict[str, dict[str, Any]] = {
    "thin": {"path": "/thin", "payload": Payload.THIN},
    "thin, nothing told": {"path": "/thin", "payload": Payload.THIN, "thin_details": False},
    "EventBridge": {
        "path": "/eventbridge",
        "secret": BUS_KEY,
        "envelope": Envelope.AMAZON_EVENTBRIDGE,
    },
    "Event Grid": {
        "path": "/event-grid",
        "secret": BUS_KEY,
        "envelope": Envelope.AZURE_EVENT_GRID,
    },
    "thin by EventBridge": {
        "path": "/eventbridge",
        "secret": BUS_KEY,
        "payload": Payload.THIN,
        "envelope": Envelope.AMAZON_EVENTBRIDGE,
    },
}
VERSIONS = (API_VERSION, "2025-02-24.acacia", "2020-08-27")
COLUMNS = """
    status, billing, quantity, plan_id is not null as price, _api_version as version,
    extract(epoch from current_period_start)::int as current_period_start,
    extract(epoch from current_period_end)::int as current_period_end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A simulated Stripe with an installation behind it."""

    simulator: Simulator
    client: StripeClient
    installation: Installation

    def send_to(
        self, name: str, *, path: str = "", secret: str = WEBHOOK_SECRET, **fields: Any
    ) -> None:
        """Send events to the installation's webhook as one more endpoint of Stripe's."""
        port = self.installation.webhook.said("port")
        url = f"http://127.0.0.1:{port}/webhooks/stripe{path}"
        self.simulator.put_endpoint(Endpoint(name=name, url=url, secrets=(secret,), **fields))

    def send_nothing_to(self, *names: str) -> None:
        """Send no more to these endpoints."""
        for name in names:
            self.simulator.put_endpoint(Endpoint(name=name, url=""))

    def poller(self, *arguments: str) -> Service:
        """A poller of this installation; not started yet."""
        return self.installation.service("producer", "poll", *arguments, name="poll")

    def await_rows(self, query: str, expected: list[dict[str, Any]]) -> None:
        """Wait until a query finds these rows."""
        eventually(
            lambda: self.installation.rows(query) == expected,
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"{len(expected)} rows are right",
            more=lambda: f"{query}\n{self.installation.rows(query)}",
        )


@pytest.fixture(scope="module")
def world(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("installation")
    with (
        Simulator(Options(webhook_retry_seconds=0.2)) as simulator,
        fresh_namespace(stack) as namespace,
        fresh_database(stack) as database_url,
    ):
        installation = Installation(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=folder,
            OBJECTS=OBJECTS,
            STRIPE_API_KEY=API_KEY,
            STRIPE_API_BASE=simulator.url,
            POLL_INTERVAL_SECONDS="0.2",
            WEBHOOK_EVENTBRIDGE_KEY=BUS_KEY,
            WEBHOOK_EVENT_GRID_KEY=BUS_KEY,
        )
        with installation.running():
            yield World(
                simulator=simulator, client=client_of(simulator), installation=installation
            )


@pytest.fixture
def accounts(world: World) -> Iterator[tuple[Account, Account]]:
    """Two connected accounts, whose events are sent."""
    world.send_to("connect", from_self=False, from_accounts=True)
    create = world.client.v1.accounts.create
    yield create({"country": "DE"}), create({"country": "FR"})
    world.send_nothing_to("connect")


def of(account: Account) -> RequestOptions:
    return {"stripe_account": account.id}


def test_two_accounts_with_the_same_coupon_id_have_two_rows(
    world: World, accounts: tuple[Account, Account]
) -> None:
    world.send_to("own")
    world.client.v1.coupons.create({"id": "SPRING", "percent_off": 10})
    for percent, account in zip((20, 30), accounts, strict=True):
        world.client.v1.coupons.create({"id": "SPRING", "percent_off": percent}, of(account))
    world.client.v1.coupons.delete("SPRING", None, of(accounts[0]))

    world.await_rows(
        "select id, percent_off::int from stripe.coupon", [{"id": "SPRING", "percent_off": 10}]
    )
    query = """
        select _account_id as account, percent_off::int as percent, _deleted_at is null as alive
        from stripe_connect.coupon where id = 'SPRING' order by percent_off
    """
    first, second = accounts
    world.await_rows(
        query,
        [
            {"account": first.id, "percent": 20, "alive": False},
            {"account": second.id, "percent": 30, "alive": True},
        ],
    )
    world.send_nothing_to("own")


def test_an_event_that_comes_by_every_way_is_published_once(world: World) -> None:
    update = world.client.v1.customers.update
    poller = world.poller()
    with running(poller):
        for version in VERSIONS:
            world.send_to(version, api_version=version)
        world.send_to("thin", path="/thin", payload=Payload.THIN)
        made = world.client.v1.customers.create({"name": "first"})
        world.simulator.advance(seconds=2)
        update(made.id, {"name": "second"})
        assert world.simulator.settle()
        eventually(
            lambda: poller.metric("stripeline_poll_events_total") >= 2,
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the poller has brought both events",
        )
        # Comes last in its inbox partition: once it is a row, all before it are done with.
        world.simulator.advance(seconds=2)
        update(made.id, {"name": "third"})
        world.await_rows(
            f"select name from stripe.customer where id = '{made.id}'", [{"name": "third"}]
        )
    world.send_nothing_to("thin", *VERSIONS)

    records = world.installation.published("customer", {made.id})
    assert [record.value["name"] for record in records] == ["first", "second", "third"]
    assert_strictly_increasing(records)


@pytest.mark.parametrize("first", VERSIONS)
def test_an_event_has_the_same_columns_whichever_version_of_it_comes_first(
    world: World, first: str
) -> None:
    world.send_to("first", api_version=first)
    made = Shop(world.client).subscription(trial_period_days=7)
    assert world.simulator.settle()
    expected = {
        "billing": "charge_automatically",
        "current_period_end": made.trial_end,
        "current_period_start": made.trial_start,
        "price": True,
        "quantity": 1,
        "status": "trialing",
        "version": first,
    }
    world.await_rows(
        f"select {COLUMNS} from stripe.subscription where id = '{made.id}'", [expected]
    )
    for version in VERSIONS:
        world.send_to(version, api_version=version)
    created = world.client.v1.events.list({"type": "customer.subscription.created"}).data[0]
    world.simulator.resend([created.id])
    assert world.simulator.settle()
    # Comes last in its inbox partition: once it is a row, all before it are done with.
    world.simulator.advance(seconds=2)
    world.client.v1.subscriptions.update(made.id, {"metadata": {"step": "last"}})
    world.await_rows(
        f"select metadata from stripe.subscription where id = '{made.id}'",
        [{"metadata": {"step": "last"}}],
    )
    world.send_nothing_to("first", *VERSIONS)

    records = world.installation.published("subscription", {made.id})
    kinds = [record.value["_event_type"] for record in records]
    assert kinds == ["customer.subscription.created", "customer.subscription.updated"]
    assert_strictly_increasing(records)


@pytest.mark.parametrize("way", ONE_WAY)
def test_a_change_that_comes_by_one_way_only_reaches_its_row(world: World, way: str) -> None:
    world.send_to("only", **ONE_WAY[way])
    made = world.client.v1.customers.create({"name": "before"})
    query = f"select name from stripe.customer where id = '{made.id}'"
    world.await_rows(query, [{"name": "before"}])

    world.simulator.advance(seconds=2)
    world.client.v1.customers.update(made.id, {"name": "after"})
    world.await_rows(query, [{"name": "after"}])

    world.client.v1.customers.delete(made.id)
    world.await_rows(
        f"select name from stripe.customer where id = '{made.id}' and _deleted_at is not null",
        [{"name": "after"}],
    )
    world.send_nothing_to("only")


def test_a_thin_event_of_an_account_is_followed_there(
    world: World, accounts: tuple[Account, Account]
) -> None:
    first, _second = accounts
    customers = world.client.v1.customers
    world.send_nothing_to("connect")
    made = customers.create({"name": "silent"}, of(first))
    world.send_to("thin", path="/thin", payload=Payload.THIN, from_self=False, from_accounts=True)
    customers.update(made.id, {"name": "heard"}, of(first))
    query = f"select _account_id, name from stripe_connect.customer where id = '{made.id}'"
    world.await_rows(query, [{"_account_id": first.id, "name": "heard"}])
    world.send_nothing_to("thin")


def test_a_thin_event_without_a_snapshot_brings_the_object(world: World) -> None:
    made = Shop(world.client).subscription(trial_period_days=7)
    world.send_to("thin", path="/thin", payload=Payload.THIN)
    world.simulator.say_thin("customer.subscription.item_added", "subscription", made.id)

    query = f"select status, _operation from stripe.subscription where id = '{made.id}'"
    world.await_rows(query, [{"status": "trialing", "_operation": "snapshot"}])
    world.send_nothing_to("thin")


WHAT_PAID = """
    select invoice.id, paid.payment ->> 'payment_intent' as payment_intent_id,
           invoice.payment_intent_id as told
    from stripe.invoice
    left join stripe.invoice_payment paid
           on paid.invoice_id = invoice.id and paid.status = 'paid' and paid._deleted_at is null
"""


@pytest.mark.parametrize("way", ["events", "backfill"])
def test_what_paid_an_invoice_is_told_by_its_payments(world: World, way: str) -> None:
    if way == "events":
        world.send_to("payments")
    subscription = Shop(world.client).subscription()
    invoice_id = str(subscription.latest_invoice)
    if way == "backfill":
        backfill = world.installation.service(
            "producer", "backfill", "invoice", "invoice_payment", name="backfill"
        )
        backfill.launch()
        assert backfill.wait() == 0
    payments = world.client.v1.invoice_payments.list({"invoice": invoice_id})
    (payment,) = payments.data

    expected = {
        "id": invoice_id,
        "payment_intent_id": payment.payment.payment_intent,
        "told": None,
    }
    world.await_rows(f"{WHAT_PAID} where invoice.id = '{invoice_id}'", [expected])
    assert expected["payment_intent_id"]
    world.send_nothing_to("payments")


def test_thin_events_that_name_no_object_or_no_id_bring_it(
    world: World, accounts: tuple[Account, Account]
) -> None:
    world.send_nothing_to("connect")
    told: dict[str, Any] = {"path": "/thin", "payload": Payload.THIN, "thin_details": False}
    world.send_to("thin", from_accounts=True, **told)
    first, _second = accounts
    bank = world.client.v1.accounts.external_accounts.create(
        first.id, {"external_account": "btok_us"}
    )
    coupon = world.client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    shop = Shop(world.client)
    customer = shop.customer()
    shop.subscription(customer, discounts=[{"coupon": coupon.id}])

    query = f"select id from stripe_connect.bank_account where _account_id = '{first.id}'"
    world.await_rows(query, [{"id": bank.id}])
    world.await_rows(
        f"""
        select coupon_id, customer_id, id like 'di_%' as named, _operation from stripe.discount
        where customer_id = '{customer.id}'
        """,
        [
            {
                "coupon_id": coupon.id,
                "customer_id": customer.id,
                "named": True,
                "_operation": "created",
            }
        ],
    )
    world.send_nothing_to("thin")


def test_what_is_under_an_account_is_in_the_connected_tables(
    world: World, accounts: tuple[Account, Account]
) -> None:
    first, _second = accounts
    under = world.client.v1.accounts
    under.update(first.id, {"email": "new@example.com"})
    person = under.persons.create(first.id, {"first_name": "Jenny"})
    bank = under.external_accounts.create(first.id, {"external_account": "btok_us"})

    found = [{"account": first.id, "id": found} for found in (first.id, bank.id, person.id)]
    world.await_rows(
        f"""
        select _account_id as account, id from stripe_connect.account where email like 'new@%'
        union all select _account_id, id from stripe_connect.bank_account
        where _account_id = '{first.id}'
        union all select _account_id, id from stripe_connect.person
        """,
        found,
    )
