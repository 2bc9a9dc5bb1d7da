"""Connected accounts: objects, events and ids of their own behind `Stripe-Account`."""

from typing import Any

import pytest
import stripe
from stripe import Account, RequestOptions, StripeClient

from simulator.server import Simulator
from tests.simulator.shop import subject


@pytest.fixture
def account(client: StripeClient) -> Account:
    """One that may take payments and be paid out."""
    return client.v1.accounts.create(
        {
            "capabilities": {
                "card_payments": {"requested": True},
                "transfers": {"requested": True},
            },
            "country": "US",
            "email": "shop@example.com",
            "type": "custom",
        }
    )


def of(account: str | None) -> RequestOptions:
    """Asks for an account; None is the platform itself."""
    return {"stripe_account": account}


def seen(client: StripeClient, account: Account) -> dict[str, Any]:
    """An account as it is now."""
    return client.v1.accounts.retrieve(account.id).to_dict()


def kinds(client: StripeClient, account: str | None = None) -> list[str]:
    """The types of an account's events, oldest first."""
    listed = client.v1.events.list({"limit": 100}, of(account))
    return [event.type for event in reversed(listed.data)]


def test_two_accounts_may_choose_the_same_ids(client: StripeClient, account: Account) -> None:
    other = client.v1.accounts.create({"country": "DE"})
    for place, owner in enumerate((None, account.id, other.id), start=1):
        options = of(owner)
        client.v1.coupons.create({"id": "SPRING", "percent_off": 10 * place}, options)
        product = client.v1.products.create({"id": "prod_basic", "name": "Basic"}, options)
        price: Any = {
            "currency": "usd",
            "lookup_key": "basic",
            "product": product.id,
            "unit_amount": 100 * place,
        }
        client.v1.prices.create(price, options)
        promotion: Any = {"coupon": "SPRING", "type": "coupon"}
        client.v1.promotion_codes.create({"code": "HELLO", "promotion": promotion}, options)

    for place, owner in enumerate((None, account.id, other.id), start=1):
        options = of(owner)
        assert client.v1.coupons.retrieve("SPRING", None, options).percent_off == 10 * place
        (listed,) = client.v1.prices.list({"lookup_keys": ["basic"]}, options).data
        assert listed.unit_amount == 100 * place
        assert len(client.v1.promotion_codes.list({"code": "HELLO"}, options).data) == 1


def test_an_account_that_is_not_connected_is_refused(client: StripeClient) -> None:
    with pytest.raises(stripe.PermissionError) as refused:
        client.v1.customers.list({}, of("acct_nobody"))

    assert refused.value.json_body["error"]["code"] == "account_invalid"  # type: ignore[index]


def test_an_accounts_objects_are_not_the_platforms(client: StripeClient, account: Account) -> None:
    customer = client.v1.customers.create({}, of(account.id))

    assert client.v1.customers.list().data == []
    (listed,) = client.v1.customers.list({}, of(account.id)).data
    assert listed.id == customer.id


def test_events_of_an_account_name_it_and_are_listed_under_it_only(
    client: StripeClient, account: Account
) -> None:
    client.v1.customers.create({}, of(account.id))

    assert kinds(client) == []
    (event,) = client.v1.events.list({"type": "customer.created"}, of(account.id)).data
    assert event.account == account.id


def test_an_idempotency_key_belongs_to_one_account(client: StripeClient, account: Account) -> None:
    mine = client.v1.customers.create({"name": "a"}, {"idempotency_key": "once"})
    options: RequestOptions = {"idempotency_key": "once", "stripe_account": account.id}
    theirs = client.v1.customers.create({"name": "b"}, options)

    assert mine.id != theirs.id
    assert client.v1.customers.create({"name": "b"}, options).id == theirs.id


def test_what_an_account_may_do_follows_from_what_it_has(
    client: StripeClient, account: Account
) -> None:
    assert (account.charges_enabled, account.payouts_enabled) == (True, False)

    bank = client.v1.accounts.external_accounts.create(account.id, {"external_account": "btok_us"})

    body = seen(client, account)
    assert body["payouts_enabled"]
    assert [one["id"] for one in body["external_accounts"]["data"]] == [bank.id]
    assert kinds(client, account.id) == [
        "capability.updated",
        "capability.updated",
        "account.updated",
        "account.external_account.created",
        "account.updated",
    ]


def test_external_accounts_are_changed_listed_and_deleted(
    client: StripeClient, account: Account
) -> None:
    external = client.v1.accounts.external_accounts
    details: Any = {
        "account_holder_name": "Someone",
        "account_number": "000123456789",
        "country": "US",
        "currency": "usd",
        "object": "bank_account",
        "routing_number": "110000000",
    }
    bank = external.create(account.id, {"external_account": details})
    card = external.create(account.id, {"external_account": "tok_visa_debit"})
    assert (bank["last4"], card["default_for_currency"]) == ("6789", False)

    external.update(account.id, bank.id, {"metadata": {"a": "1"}})

    assert external.retrieve(account.id, bank.id).to_dict()["metadata"] == {"a": "1"}
    assert [one.id for one in external.list(account.id, {"object": "card"}).data] == [card.id]
    pages = external.list(account.id, {"limit": 1})
    assert {one.id for one in pages.auto_paging_iter()} == {bank.id, card.id}
    assert external.delete(account.id, bank.id).deleted
    assert [one.id for one in external.list(account.id).data] == [card.id]
    assert kinds(client, account.id)[-4:] == [
        "account.external_account.updated",
        "account.updated",
        "account.external_account.deleted",
        "account.updated",
    ]


def test_persons_are_kept_under_their_account(client: StripeClient, account: Account) -> None:
    persons = client.v1.accounts.persons
    made = persons.create(
        account.id, {"dob": {"day": 1, "month": 2, "year": 1990}, "ssn_last_4": "0000"}
    )
    assert (made.account, made.ssn_last_4_provided) == (account.id, True)
    assert "ssn_last_4" not in made.to_dict()

    persons.update(account.id, made.id, {"relationship": {"owner": True}})

    (listed,) = persons.list(account.id).data
    relationship = listed.to_dict()["relationship"]
    assert (relationship["owner"], relationship["director"]) == (True, False)
    assert persons.delete(account.id, made.id).deleted
    assert kinds(client, account.id)[-3:] == [
        "person.created",
        "person.updated",
        "person.deleted",
    ]


def test_a_capability_is_granted_when_asked_for(client: StripeClient, account: Account) -> None:
    capabilities = client.v1.accounts.capabilities
    capabilities.update(account.id, "transfers", {"requested": False})

    assert capabilities.retrieve(account.id, "transfers").status == "unrequested"
    listed = {one.id: one.status for one in capabilities.list(account.id).data}
    assert listed == {"card_payments": "active", "transfers": "unrequested"}
    assert seen(client, account)["capabilities"]["transfers"] == "unrequested"


def test_an_account_sees_itself_and_no_other(client: StripeClient, account: Account) -> None:
    other = client.v1.accounts.create({"country": "DE"})
    options = of(account.id)

    assert client.v1.accounts.retrieve_current(None, options).id == account.id
    with pytest.raises(Exception, match="No such account"):
        client.v1.accounts.retrieve(other.id, None, options)
    assert client.v1.accounts.retrieve_current().charges_enabled
    listed = [one.id for one in client.v1.accounts.list().data]
    assert listed == [other.id, account.id]


def test_a_change_of_an_account_is_its_own_event(client: StripeClient, account: Account) -> None:
    client.v1.accounts.update(account.id, {"metadata": {"plan": "gold"}})

    newest = client.v1.events.list({"limit": 1}, of(account.id)).data[0]
    assert (newest.type, newest.account) == ("account.updated", account.id)
    assert subject(newest)["metadata"] == {"plan": "gold"}
    assert newest.data.to_dict()["previous_attributes"] == {"metadata": {"plan": None}}


def test_a_deleted_account_can_be_asked_nothing(client: StripeClient, account: Account) -> None:
    assert client.v1.accounts.delete(account.id).deleted

    with pytest.raises(stripe.PermissionError):
        client.v1.customers.list({}, of(account.id))
    assert client.v1.accounts.list().data == []


def test_a_subscription_of_an_account_lives_by_its_time(
    client: StripeClient, account: Account, simulator: Simulator
) -> None:
    options = of(account.id)
    customer = client.v1.customers.create(
        {
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
            "payment_method": "pm_card_visa",
        },
        options,
    )
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "product_data": {"name": "Basic"},
            "recurring": {"interval": "month"},
            "unit_amount": 500,
        },
        options,
    )
    made: Any = {"customer": customer.id, "items": [{"price": price.id}], "trial_period_days": 7}
    client.v1.subscriptions.create(made, options)

    simulator.advance(seconds=8 * 86_400)

    (subscription,) = client.v1.subscriptions.list({}, options).data
    assert subscription.status == "active"
    assert "invoice.paid" in kinds(client, account.id)
    assert kinds(client) == []


def test_a_refused_request_leaves_nothing_in_any_account(client: StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.create(
            {"capabilities": {"transfers": {"requested": True}}, "external_account": "nonsense"}
        )
    assert client.v1.accounts.list().data == []

    account = client.v1.accounts.create({"country": "DE"})
    before = kinds(client, account.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.accounts.update(
            account.id, {"email": "other@example.com", "external_account": "nonsense"}
        )

    assert kinds(client, account.id) == before
    assert seen(client, account)["email"] is None
