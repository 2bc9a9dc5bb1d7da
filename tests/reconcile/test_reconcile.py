"""Reconcile as an operator runs it: real Kafka, registry and Postgres, a simulated Stripe."""

import secrets
from collections.abc import Iterator

import pytest

from runtime.errors import ExitCode
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.reconcile.installation import Merchant, merchant

pytestmark = pytest.mark.stack

DAY_SECONDS = 86_400


@pytest.fixture(scope="module")
def shared(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merchant]:
    """One installation for all tests of this module; each has objects of its own."""
    with (
        fresh_namespace(stack) as namespace,
        fresh_database(stack) as database_url,
        merchant(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=tmp_path_factory.mktemp("reconcile"),
        ) as made,
    ):
        yield made


@pytest.fixture
def name() -> str:
    """A name that no other test has, and that nothing else says."""
    return f"n{secrets.token_hex(6)}"


def test_a_reconcile_of_unchanged_objects_publishes_nothing(shared: Merchant) -> None:
    subscription = shared.shop.subscription()
    shared.client.v1.subscriptions.update(subscription.id, {"metadata": {"a": "1"}})
    shared.settle()
    names = ("customer", "product", "price", "subscription", "invoice", "charge")
    # What no event tells (a customer's next invoice number) is published once.
    refreshed = shared.reconcile(*names)
    assert refreshed.code is ExitCode.OK, refreshed.everything
    shared.await_relayed()
    before = shared.inbox_end()
    said = shared.reconcile(*names)
    assert (said.code, shared.inbox_end()) == (ExitCode.OK, before), said.everything
    assert "unchanged=1 " in said.lines["subscription"]
    assert all("refreshed=0" in line for line in said.lines.values())


def test_a_webhook_lost_for_good_and_older_than_the_pollers_window_is_healed(
    shared: Merchant, name: str
) -> None:
    customer = shared.shop.customer(name=f"old {name}").id
    shared.settle()
    shared.simulator.change("customer", customer, {"name": name}, events=False)
    query = f"select name from stripe.customer where id = '{customer}'"
    shared.await_row(query, name=f"old {name}")
    said = shared.command("customer")
    assert said.code is ExitCode.DIFFERENCE_FOUND, said.everything
    assert "repaired=1 " in said.lines["customer"]
    shared.await_row(query, name=name)
    assert shared.reconcile("customer").code is ExitCode.OK


def test_drift_names_the_columns_and_tells_no_value(shared: Merchant, name: str) -> None:
    customer = shared.shop.customer(name="before", email="before@example.com").id
    shared.settle()
    fields = {"name": name, "email": f"{name}@example.com"}
    shared.simulator.change("customer", customer, fields, events=False)
    said = shared.command("customer")
    assert "differed: email 1, name 1" in said.lines["customer"]
    assert name not in said.everything
    assert "before" not in said.everything


def test_a_dry_run_tells_what_differs_and_writes_nothing(shared: Merchant, name: str) -> None:
    customer = shared.shop.customer(name="before").id
    shared.settle()
    shared.simulator.change("customer", customer, {"name": name}, events=False)
    before = shared.inbox_end()
    said = shared.reconcile("customer", dry_run=True)
    assert (said.code, shared.inbox_end()) == (ExitCode.DIFFERENCE_FOUND, before)
    assert "repaired=1 " in said.lines["customer"]
    assert shared.reconcile("customer").code is ExitCode.DIFFERENCE_FOUND


def test_a_delete_whose_webhook_was_lost_is_found(shared: Merchant) -> None:
    customer = shared.shop.customer().id
    shared.settle()
    shared.simulator.remove("customer", customer, events=False)
    said = shared.reconcile("customer")
    assert "deleted=1 " in said.lines["customer"], said.everything
    query = f"select _deleted_at is not null as gone from stripe.customer where id = '{customer}'"
    shared.await_row(query, gone=True)


def test_what_lists_hide_is_not_taken_for_deleted(shared: Merchant) -> None:
    subscription = shared.shop.subscription()
    price = shared.shop.price()
    shared.client.v1.prices.update(price.id, {"active": False})
    shared.client.v1.subscriptions.cancel(subscription.id)
    shared.settle()
    shared.reconcile("price", "subscription")
    before = shared.inbox_end()
    said = shared.reconcile("price", "subscription")
    assert (said.code, shared.inbox_end()) == (ExitCode.OK, before), said.everything
    rows = shared.installation.rows(
        f"select id from stripe.price where id = '{price.id}' and _deleted_at is null union all "
        f"select id from stripe.subscription where id = '{subscription.id}' and "
        "_deleted_at is null"
    )
    assert [row["id"] for row in rows] == [price.id, subscription.id]


@pytest.mark.parametrize("delete_arrives", [True, False])
def test_an_object_that_was_deleted_and_made_again_under_its_id_is_the_new_one(
    shared: Merchant, name: str, delete_arrives: bool
) -> None:
    shared.client.v1.coupons.create({"id": name, "duration": "once", "percent_off": 10})
    shared.settle()
    shared.simulator.remove("coupon", name, events=delete_arrives)
    shared.simulator.settle()
    gone = "_deleted_at is not null as gone"
    query = f"select percent_off, {gone} from stripe.coupon where id = '{name}'"
    if delete_arrives:
        shared.await_row(query, percent_off=10.0, gone=True)
    shared.simulator.make("coupon", fields={"id": name, "percent_off": 20.0}, events=False)
    shared.simulator.advance(seconds=2)
    said = shared.reconcile("coupon")
    assert ("created=1 " if delete_arrives else "repaired=1 ") in said.lines["coupon"]
    shared.await_row(query, percent_off=20.0, gone=False)


def test_what_was_never_told_is_made_up_for(shared: Merchant) -> None:
    (product,) = shared.simulator.make("product", events=False)
    said = shared.reconcile("product")
    assert "created=1 " in said.lines["product"]
    shared.await_row(f"select id from stripe.product where id = '{product}'", id=product)


def test_a_reconcile_that_was_killed_leaves_nothing_wrong_and_is_run_again(
    shared: Merchant, name: str
) -> None:
    customer = shared.shop.customer(name="before").id
    shared.settle()
    shared.simulator.change("customer", customer, {"name": name}, events=False)
    killed = shared.launch("customer", RECONCILE_SETTLE_SECONDS="3600")
    assert killed.said("open") >= 1
    killed.kill()
    query = f"select name from stripe.customer where id = '{customer}'"
    shared.await_row(query, name="before")
    assert "name 1" in shared.reconcile("customer").lines["customer"]
    shared.await_row(query, name=name)


def test_a_change_that_races_the_reconcile_is_never_overwritten(
    shared: Merchant, name: str
) -> None:
    customer = shared.shop.customer(name="before").id
    shared.settle()
    shared.simulator.change("customer", customer, {"name": "listed"}, events=False)
    racing = shared.launch("customer", RECONCILE_SETTLE_SECONDS="2")
    assert racing.said("open") >= 1
    # The list was read; what it showed is put into the inbox seconds later.
    shared.simulator.advance(seconds=2)
    shared.client.v1.customers.update(customer, {"name": name})
    query = f"select name from stripe.customer where id = '{customer}'"
    shared.await_row(query, name=name)
    racing.wait()
    shared.await_relayed()
    assert shared.installation.rows(query) == [{"name": name}]


def test_connected_accounts_are_reconciled_each_with_its_own_objects(
    shared: Merchant, name: str
) -> None:
    one, two = (shared.client.v1.accounts.create().id for _account in range(2))
    for account, percent in ((one, 10.0), (two, 20.0)):
        fields = {"id": name, "percent_off": percent}
        shared.simulator.make("coupon", fields=fields, account=account, events=False)
    said = shared.reconcile("coupon", connected=True)
    assert "created=2 " in said.lines["coupon"], said.everything
    query = (
        "select _account_id as account, percent_off, _deleted_at is not null as gone "
        f"from stripe_connect.coupon where id = '{name}' order by percent_off"
    )
    shared.await_rows(
        query,
        {"account": one, "percent_off": 10.0, "gone": False},
        {"account": two, "percent_off": 20.0, "gone": False},
    )
    shared.await_relayed()
    shared.simulator.change("coupon", name, {"percent_off": 5.0}, account=one, events=False)
    shared.simulator.remove("coupon", name, account=two, events=False)
    shared.simulator.advance(seconds=2)
    said = shared.reconcile("coupon", connected=True)
    assert "repaired=1 " in said.lines["coupon"], said.everything
    assert "deleted=1 " in said.lines["coupon"], said.everything
    shared.await_rows(
        query,
        {"account": one, "percent_off": 5.0, "gone": False},
        {"account": two, "percent_off": 20.0, "gone": True},
    )


def test_what_no_event_tells_is_brought_up_to_date_and_is_no_drift(
    shared: Merchant, name: str
) -> None:
    account = shared.client.v1.accounts.create().id
    person = shared.client.v1.accounts.persons.create(account, {"first_name": "before"}).id
    shared.reconcile("person")
    query = f"select first_name from stripe.person where id = '{person}'"
    shared.await_row(query, first_name="before")
    shared.await_relayed()
    shared.simulator.change("person", person, {"first_name": name}, account=account, events=False)
    shared.simulator.advance(seconds=2)
    said = shared.reconcile("person")
    assert "refreshed=1 " in said.lines["person"], said.everything
    assert said.code is ExitCode.OK
    shared.await_row(query, first_name=name)


def test_a_balance_transaction_of_which_no_event_tells_is_found_and_is_no_drift(
    shared: Merchant,
) -> None:
    shared.settle()
    # Those of other tests' payments.
    shared.reconcile("balance_transaction")
    shared.await_relayed()
    (made,) = shared.simulator.make("balance_transaction", fields={"fee": 1}, events=False)
    said = shared.reconcile("balance_transaction")
    assert "created=1 " in said.lines["balance_transaction"], said.everything
    assert said.code is ExitCode.OK
    query = f"select fee from stripe.balance_transaction where id = '{made}'"
    shared.await_row(query, fee=1)
    shared.await_relayed()
    # It becomes available in silence.
    shared.simulator.change("balance_transaction", made, {"fee": 2}, events=False)
    shared.simulator.advance(seconds=2)
    said = shared.reconcile("balance_transaction")
    assert "refreshed=1 " in said.lines["balance_transaction"], said.everything
    assert said.code is ExitCode.OK
    shared.await_row(query, fee=2)


def test_a_products_feature_is_of_its_product_until_it_is_gone(shared: Merchant) -> None:
    # Neither a list nor a retrieve says in the body whose it is.
    (product,) = shared.simulator.make("product", events=False)
    (feature,) = shared.simulator.make(
        "product_feature", fields={"product": product}, events=False
    )
    query = f"""
        select parent_id, _deleted_at is not null as gone
        from stripe.product_feature where id = '{feature}'
    """
    shared.reconcile("product_feature")
    shared.await_row(query, parent_id=product, gone=False)
    said = shared.reconcile("product_feature")
    assert (said.code, "unchanged=1 " in said.lines["product_feature"]) == (ExitCode.OK, True)
    shared.simulator.remove("product_feature", feature, events=False)
    said = shared.reconcile("product_feature")
    assert "deleted=1 " in said.lines["product_feature"], said.everything
    shared.await_row(query, parent_id=product, gone=True)


def test_children_that_their_parents_record_does_without_are_compared_too(
    shared: Merchant, name: str
) -> None:
    (session,) = shared.simulator.make("checkout.session", children={"line_items": 3})
    shared.settle()
    shared.reconcile("checkout.session")
    query = f"select count(*) as items from stripe.item where parent_id = '{session}'"
    shared.await_row(query, items=3)
    items = shared.client.v1.checkout.sessions.line_items.list(session).data
    shared.await_relayed()
    shared.simulator.change("item", items[0].id, {"description": name}, events=False)
    shared.simulator.advance(seconds=2)
    said = shared.reconcile("checkout.session")
    assert "differed: line_items 1" in said.lines["checkout.session"], said.everything
    query = f"select description from stripe.item where id = '{items[0].id}'"
    shared.await_row(query, description=name)
    shared.await_relayed()
    assert "repaired=0 " in shared.reconcile("checkout.session").lines["checkout.session"]


def test_on_a_schedule_it_begins_at_once_and_says_what_it_found(shared: Merchant) -> None:
    (product,) = shared.simulator.make("product", events=False)
    scheduled = shared.launch("product", "--every", "1h")
    scheduled.await_ready()
    found = "stripeline_reconcile_found_total"
    eventually(
        lambda: scheduled.metric(f'{found}{{object="product",told="yes",verdict="created"}}') >= 1,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the missing product is found",
    )
    shared.await_row(f"select id from stripe.product where id = '{product}'", id=product)
    assert scheduled.stop() == ExitCode.OK


def test_a_key_that_stripe_does_not_know_is_told(shared: Merchant) -> None:
    said = shared.command("product", STRIPE_API_KEY="sk_live_of_others")
    assert said.code is ExitCode.WRONG_USAGE
    assert "STRIPE_API_KEY" in said.everything


AWKWARD = {
    "account": "the merchant's own is retrieved, the others are listed",
    "balance": "the only one of its type",
    "bank_account": "listed below customers and accounts",
    "capability": "has no id of its own",
    "charge": "shows links that are made anew",
    "checkout.session": "shows its items only when asked",
    "credit_note": "owns lines",
    "identity.verification_session": "shows secrets that pass",
    "invoice": "owns lines, and shows links that are made anew",
    "mandate": "is in no list",
    "payment_link": "shows its items only when asked",
    "person": "listed below accounts",
    "price": "hidden when inactive",
    "quote": "shows its items only when asked",
    "source": "listed below customers, beside other types",
    "subscription": "owns items, and is hidden when canceled",
    "subscription_schedule": "listed below test clocks as well",
    "tax_id": "listed for the account and below customers",
}
"""Object type -> what makes it hard to compare."""


def test_whatever_was_missing_is_published_once_and_then_nothing_differs(
    shared: Merchant,
) -> None:
    makeable = [name for name in AWKWARD if name != "balance"]
    for name in makeable:
        shared.simulator.make(name, count=2, events=False)
    first = shared.reconcile(*AWKWARD)
    assert first.lines.keys() == AWKWARD.keys()
    assert all("refused=0" in line for line in first.lines.values()), first.everything
    shared.settle()
    before = shared.inbox_end()
    second = shared.reconcile(*AWKWARD)
    assert (second.code, shared.inbox_end()) == (ExitCode.OK, before), second.everything
