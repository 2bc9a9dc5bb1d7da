"""Payment intents, charges, refunds and payment methods."""

from typing import Any

import pytest
from stripe import CardError, InvalidRequestError, StripeClient

from tests.simulator.shop import Shop, metadata_of, previous, subject


def test_a_payment_intent_is_confirmed_and_charged(client: StripeClient, shop: Shop) -> None:
    made = client.v1.payment_intents.create({"amount": 1_099, "currency": "usd"})

    paid = client.v1.payment_intents.confirm(
        made.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge"]}
    )

    assert made.status == "requires_payment_method"
    assert (paid.status, paid.amount_received) == ("succeeded", 1_099)
    assert paid.latest_charge is not None
    assert not isinstance(paid.latest_charge, str)
    assert (paid.latest_charge.paid, paid.latest_charge.payment_intent) == (True, made.id)
    assert shop.kinds() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_a_declined_card_is_an_error_that_shows_the_intent(
    client: StripeClient, shop: Shop
) -> None:
    with pytest.raises(CardError) as refused:
        client.v1.payment_intents.create(
            {
                "amount": 500,
                "confirm": True,
                "currency": "usd",
                "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds",
            }
        )

    (intent,) = client.v1.payment_intents.list().data
    assert refused.value.code == "card_declined"
    error: Any = refused.value.json_body
    assert error["error"]["decline_code"] == "insufficient_funds"
    assert error["error"]["payment_intent"]["id"] == intent.id
    assert intent.status == "requires_payment_method"
    assert shop.kinds()[-2:] == ["charge.failed", "payment_intent.payment_failed"]


def test_a_card_that_asks_its_owner_needs_action(client: StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 500,
            "confirm": True,
            "currency": "usd",
            "payment_method": "pm_card_authenticationRequired",
        }
    )

    assert intent.status == "requires_action"
    assert intent.next_action is not None


def test_a_reserved_amount_is_captured_later(client: StripeClient, shop: Shop) -> None:
    reserved = client.v1.payment_intents.create(
        {
            "amount": 500,
            "capture_method": "manual",
            "confirm": True,
            "currency": "usd",
            "payment_method": "pm_card_visa",
        }
    )

    captured = client.v1.payment_intents.capture(reserved.id, {"amount_to_capture": 300})

    assert (reserved.status, reserved.amount_capturable) == ("requires_capture", 500)
    assert (captured.status, captured.amount_received) == ("succeeded", 300)
    assert "charge.captured" in shop.kinds()


def test_a_cancelled_intent_cannot_be_confirmed(client: StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})

    cancelled = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(InvalidRequestError) as refused:
        client.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "payment_intent_unexpected_state"


def test_refunds_add_up_to_the_charge_and_no_more(client: StripeClient, shop: Shop) -> None:
    charge = client.v1.charges.create({"amount": 500, "currency": "usd", "source": "tok_visa"})

    client.v1.refunds.create({"charge": charge.id, "amount": 200})
    with pytest.raises(InvalidRequestError, match="greater than unrefunded"):
        client.v1.refunds.create({"charge": charge.id, "amount": 301})
    client.v1.refunds.create({"charge": charge.id})

    found = client.v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (found.refunded, found.amount_refunded) == (True, 500)
    assert found.refunds is not None
    assert [refund.amount for refund in found.refunds.data] == [300, 200]
    partly, wholly = shop.events("charge.refunded")
    assert previous(partly) == {"amount_refunded": 0}
    assert previous(wholly) == {"amount_refunded": 200, "refunded": False}


def test_a_refund_finds_its_charge_by_the_payment_intent(client: StripeClient) -> None:
    intent = client.v1.payment_intents.create(
        {"amount": 500, "confirm": True, "currency": "usd", "payment_method": "pm_card_visa"}
    )

    refund = client.v1.refunds.create({"payment_intent": intent.id, "reason": "duplicate"})

    assert (refund.charge, refund.amount) == (intent.latest_charge, 500)
    assert [found.id for found in client.v1.refunds.list({"charge": str(refund.charge)}).data] == [
        refund.id
    ]


def test_a_charge_is_booked_with_its_fee_and_a_refund_against_it(client: StripeClient) -> None:
    charge = client.v1.charges.create(
        {
            "amount": 1_000,
            "currency": "usd",
            "source": "tok_visa",
            "expand": ["balance_transaction"],
        }
    )
    client.v1.refunds.create({"charge": charge.id})

    refunded, charged = client.v1.balance_transactions.list().data
    assert (charged.amount, charged.fee, charged.net) == (1_000, 59, 941)
    assert (refunded.amount, refunded.type) == (-1_000, "refund")
    assert charge.balance_transaction == charged


def test_a_payment_method_belongs_to_one_customer_at_a_time(
    client: StripeClient, shop: Shop
) -> None:
    first, second = shop.customer(card=""), shop.customer(card="")
    card = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})

    client.v1.payment_methods.attach(card.id, {"customer": first.id})
    with pytest.raises(InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(card.id, {"customer": second.id})
    client.v1.payment_methods.detach(card.id)

    assert client.v1.payment_methods.list({"customer": first.id}).data == []
    attached, detached = shop.events("payment_method.*")
    assert subject(attached)["customer"] == first.id
    assert subject(detached)["customer"] is None


def test_a_customers_payment_methods_have_a_list_of_their_own(
    client: StripeClient, shop: Shop
) -> None:
    customer, other = shop.customer(), shop.customer()

    listed = client.v1.customers.payment_methods.list(customer.id)

    assert [card.customer for card in listed.data] == [customer.id]
    assert customer.id != other.id


def test_metadata_of_payments_is_changed_and_told(client: StripeClient, shop: Shop) -> None:
    charge = client.v1.charges.create({"amount": 500, "currency": "usd", "source": "tok_visa"})
    refund = client.v1.refunds.create({"charge": charge.id, "metadata": {"why": "a"}})

    changed = client.v1.charges.update(charge.id, {"metadata": {"order": "1"}})
    client.v1.refunds.update(refund.id, {"metadata": {"why": "b"}})

    assert metadata_of(changed) == {"order": "1"}
    assert previous(shop.events("charge.updated")[0]) == {"metadata": {"order": None}}
    assert previous(shop.events("refund.updated")[0]) == {"metadata": {"why": "a"}}
