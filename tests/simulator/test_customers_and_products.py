"""Customers, products and prices, as Stripe's own client sees them."""

import pytest
from stripe import InvalidRequestError, StripeClient

from simulator.server import Simulator
from tests.simulator.conftest import START_SECONDS
from tests.simulator.shop import Shop, metadata_of, previous, subject


def test_a_customer_is_made_and_found_again(client: StripeClient) -> None:
    made = client.v1.customers.create({"email": "a@example.com", "metadata": {"plan": "x"}})

    found = client.v1.customers.retrieve(made.id)

    assert made.id.startswith("cus_")
    assert found.to_dict() == made.to_dict()
    assert found.email == "a@example.com"
    assert metadata_of(found) == {"plan": "x"}


def test_an_empty_metadata_value_unsets_its_key_only(client: StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"gone": "1", "kept": "2"}})

    changed = client.v1.customers.update(customer.id, {"metadata": {"gone": "", "new": "3"}})

    assert metadata_of(changed) == {"kept": "2", "new": "3"}


def test_empty_metadata_unsets_all_keys(client: StripeClient) -> None:
    customer = client.v1.customers.create({"metadata": {"one": "1", "two": "2"}})

    changed = client.v1.customers.update(customer.id, {"metadata": ""})

    assert metadata_of(changed) == {}


def test_an_empty_text_unsets_a_field(client: StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Someone"})

    changed = client.v1.customers.update(customer.id, {"name": ""})

    assert changed.name is None


def test_an_address_is_replaced_as_a_whole(client: StripeClient) -> None:
    customer = client.v1.customers.create({"address": {"city": "Oslo", "line1": "Gate 1"}})

    changed = client.v1.customers.update(customer.id, {"address": {"city": "Bergen"}})

    assert changed.address is not None
    assert changed.address.city == "Bergen"
    assert changed.address.line1 is None


def test_a_deleted_customer_is_shown_as_deleted_and_not_listed(client: StripeClient) -> None:
    customer = client.v1.customers.create({"email": "a@example.com"})

    client.v1.customers.delete(customer.id)

    found = client.v1.customers.retrieve(customer.id).to_dict()
    assert found == {"id": customer.id, "object": "customer", "deleted": True}
    assert client.v1.customers.list().data == []
    with pytest.raises(InvalidRequestError, match="No such customer"):
        client.v1.customers.update(customer.id, {"name": "x"})


def test_a_deleted_customers_event_has_the_last_body(client: StripeClient, shop: Shop) -> None:
    customer = client.v1.customers.create({"email": "last@example.com"})

    client.v1.customers.delete(customer.id)

    (event,) = shop.events("customer.deleted")
    assert subject(event)["email"] == "last@example.com"


def test_deleting_a_customer_cancels_their_subscriptions(client: StripeClient, shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscription(customer)

    client.v1.customers.delete(customer.id)

    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert shop.kinds()[-2:] == ["customer.subscription.deleted", "customer.deleted"]


def test_an_update_that_changes_nothing_is_no_event(client: StripeClient, shop: Shop) -> None:
    customer = client.v1.customers.create({"name": "Same"})

    client.v1.customers.update(customer.id, {"name": "Same"})

    assert shop.kinds() == ["customer.created"]


def test_a_products_update_moves_its_updated_time(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.stop_clock()
    product = client.v1.products.create({"name": "Before"})
    simulator.advance(seconds=5)

    changed = client.v1.products.update(product.id, {"name": "After"})

    (event,) = shop.events("product.updated")
    assert changed.updated == product.updated + 5
    assert previous(event) == {"name": "Before", "updated": product.updated}


def test_a_product_takes_a_chosen_id_once(client: StripeClient) -> None:
    made = client.v1.products.create({"id": "basic", "name": "Basic"})

    with pytest.raises(InvalidRequestError) as refused:
        client.v1.products.create({"id": "basic", "name": "Again"})

    assert made.id == "basic"
    assert refused.value.code == "resource_already_exists"


def test_a_deleted_product_can_be_made_again_under_its_id(client: StripeClient) -> None:
    client.v1.products.create({"id": "basic", "name": "Old"})
    client.v1.products.delete("basic")
    with pytest.raises(InvalidRequestError, match="No such product"):
        client.v1.products.retrieve("basic")

    client.v1.products.create({"id": "basic", "name": "New"})

    assert client.v1.products.retrieve("basic").name == "New"
    assert len(client.v1.products.list().data) == 1


def test_a_product_with_prices_cannot_be_deleted(client: StripeClient, shop: Shop) -> None:
    price = shop.price()

    with pytest.raises(InvalidRequestError, match="user-created prices"):
        client.v1.products.delete(str(price.product))


def test_a_product_can_bring_its_default_price(client: StripeClient, shop: Shop) -> None:
    product = client.v1.products.create(
        {"name": "Basic", "default_price_data": {"currency": "eur", "unit_amount": 700}}
    )

    price = client.v1.prices.retrieve(str(product.default_price))

    assert (price.currency, price.unit_amount, price.product) == ("eur", 700, product.id)
    assert shop.kinds() == ["product.created", "price.created", "product.updated"]


def test_a_price_keeps_its_exact_amount(client: StripeClient) -> None:
    product = client.v1.products.create({"name": "Basic"})

    price = client.v1.prices.create(
        {"currency": "usd", "product": product.id, "unit_amount_decimal": "0.5"}  # type: ignore[typeddict-item]
    )

    assert price.unit_amount is None
    assert str(price.unit_amount_decimal) == "0.5"
    assert price.created >= START_SECONDS


def test_inactive_and_inline_prices_are_not_listed_by_default(
    client: StripeClient, shop: Shop
) -> None:
    active, inactive = shop.price(), shop.price()
    client.v1.prices.update(inactive.id, {"active": False})
    data = {
        "currency": "usd",
        "product": str(active.product),
        "recurring": {"interval": "month"},
        "unit_amount": 5,
    }
    shop.subscription(items=[{"price_data": data}])

    listed = client.v1.prices.list()
    hidden = client.v1.prices.list({"active": False})

    assert [price.id for price in listed.data] == [active.id]
    assert [price.id for price in hidden.data] == [inactive.id]


def test_a_lookup_key_names_one_price_and_can_be_transferred(
    client: StripeClient, shop: Shop
) -> None:
    first, second = shop.price(), shop.price()
    client.v1.prices.update(first.id, {"lookup_key": "standard"})
    with pytest.raises(InvalidRequestError, match="already uses that lookup key"):
        client.v1.prices.update(second.id, {"lookup_key": "standard"})

    client.v1.prices.update(second.id, {"lookup_key": "standard", "transfer_lookup_key": True})

    found = client.v1.prices.list({"lookup_keys": ["standard"]})
    assert [price.id for price in found.data] == [second.id]
    assert client.v1.prices.retrieve(first.id).lookup_key is None
