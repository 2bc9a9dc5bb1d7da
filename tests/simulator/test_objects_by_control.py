"""Objects made, changed and removed by control, and by the requests of Stripe's own package."""

import httpx
import pytest
from stripe import InvalidRequestError, StripeClient

from simulator.events import RETENTION_SECONDS
from simulator.server import Simulator
from tests.simulator.receiver import Receiver
from tests.simulator.shop import Shop, metadata_of, previous, subject


def test_a_made_object_is_told_by_webhook(simulator: Simulator, receiver: Receiver) -> None:
    (rate,) = simulator.make("tax_rate", fields={"percentage": 19})

    told = receiver.wait_for("tax_rate.created")

    assert told["data"]["object"]["id"] == rate
    assert told["data"]["object"]["percentage"] == 19


def test_a_silent_change_is_seen_by_asking_only(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer().id
    before = shop.kinds()

    simulator.change("customer", customer, {"name": "Another"}, events=False)

    assert client.v1.customers.retrieve(customer).name == "Another"
    assert shop.kinds() == before


def test_a_silent_removal_is_seen_by_asking_only(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    coupon = client.v1.coupons.create({"percent_off": 10})
    before = shop.kinds()

    simulator.remove("coupon", coupon.id, events=False)

    with pytest.raises(InvalidRequestError) as refused:
        client.v1.coupons.retrieve(coupon.id)
    assert refused.value.code == "resource_missing"
    assert shop.kinds() == before


def test_a_change_says_what_was_before(simulator: Simulator, shop: Shop) -> None:
    (payout,) = simulator.make("payout", fields={"status": "pending"})

    simulator.change("payout", payout, {"status": "paid"})

    (event,) = shop.events("payout.updated")
    assert previous(event) == {"status": "pending"}


def test_persons_and_external_accounts_change_silently(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    account = client.v1.accounts.create({"country": "US"}).id
    before = shop.kinds()

    for name in ("person", "bank_account"):
        (made,) = simulator.make(name, fields={"account": account})
        simulator.change(name, made, {"metadata": {"a": "b"}}, account=account)

    assert shop.kinds() == before
    assert len(client.v1.accounts.persons.list(account).data) == 1
    assert len(client.v1.accounts.external_accounts.list(account).data) == 1


def test_objects_of_an_account_are_its_own(simulator: Simulator, client: StripeClient) -> None:
    account = client.v1.accounts.create({"country": "US"}).id
    made = simulator.make("customer", count=3, account=account)

    listed = client.v1.customers.list({}, {"stripe_account": account})

    assert {customer.id for customer in listed.data} == set(made)
    assert client.v1.customers.list().data == []


def test_a_made_account_can_be_asked_for(simulator: Simulator, client: StripeClient) -> None:
    (account,) = simulator.make("account")

    assert client.v1.products.list({}, {"stripe_account": account}).data == []
    assert client.v1.accounts.retrieve(account).id == account


def test_stripes_package_makes_changes_and_deletes_what_has_no_code_of_its_own(
    client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer().id
    made = client.v1.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE1"})
    rate = client.v1.tax_rates.create(
        {"display_name": "VAT", "inclusive": True, "percentage": 19.0, "metadata": {"a": "1"}}
    )
    changed = client.v1.tax_rates.update(rate.id, {"active": False, "metadata": {"b": "2"}})
    client.v1.customers.tax_ids.delete(customer, made.id)

    assert (made.type, made.value, made.customer) == ("eu_vat", "DE1", customer)
    assert (changed.active, changed.percentage) == (False, 19.0)
    assert metadata_of(changed) == {"a": "1", "b": "2"}
    assert client.v1.customers.tax_ids.list(customer).data == []
    told = [kind for kind in shop.kinds() if "tax" in kind]
    assert told == [
        "customer.tax_id.created",
        "tax_rate.created",
        "tax_rate.updated",
        "customer.tax_id.deleted",
    ]


def test_a_customers_balance_has_transactions(client: StripeClient, shop: Shop) -> None:
    customer = shop.customer().id
    made = client.v1.customers.balance_transactions.create(
        customer, {"amount": -500, "currency": "usd"}
    )

    (listed,) = client.v1.customers.balance_transactions.list(customer).data

    assert (listed.id, listed.amount, listed.customer) == (made.id, -500, customer)


def test_what_an_account_always_has_is_there_unmade(client: StripeClient, shop: Shop) -> None:
    customer = shop.customer().id

    assert client.v1.balance.retrieve().object == "balance"
    assert client.v1.tax.settings.retrieve().object == "tax.settings"
    assert client.v1.customers.cash_balance.retrieve(customer).customer == customer
    assert shop.kinds().count("tax.settings.updated") == 0


def test_a_refused_request_leaves_no_trace(client: StripeClient) -> None:
    with pytest.raises(InvalidRequestError):
        client.v1.tax_rates.create(
            {"display_name": "VAT", "inclusive": True, "percentage": 1.0, "expand": ["nothing"]}
        )

    assert client.v1.tax_rates.list().data == []


def test_a_parameter_that_no_field_has_is_refused(client: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.v1.tax_rates.create({"colour": "red"})  # type: ignore[typeddict-item]

    assert refused.value.code == "parameter_unknown"


def test_events_are_gone_after_thirty_days(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.make("tax_rate")
    (event,) = shop.events()

    simulator.advance(seconds=RETENTION_SECONDS + 1)

    assert shop.events() == []
    with pytest.raises(InvalidRequestError):
        client.v1.events.retrieve(event.id)


def test_an_unknown_type_is_refused(simulator: Simulator) -> None:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        simulator.make("unheard_of")

    assert "unheard_of" in refused.value.__notes__[0]


def test_a_made_dispute_names_the_charge_it_was_given(simulator: Simulator, shop: Shop) -> None:
    (charge,) = simulator.make("charge")
    simulator.make("dispute", fields={"charge": charge})

    assert subject(shop.events("charge.dispute.created")[0])["charge"] == charge
