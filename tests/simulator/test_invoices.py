"""Invoices from draft to paid, void or overdue."""

import pytest
from stripe import CardError, InvalidRequestError, Invoice, StripeClient

from simulator.server import Simulator
from tests.simulator.shop import DAY_SECONDS, Shop, previous


def draft_of(client: StripeClient, customer: str, *amounts: int) -> Invoice:
    """A draft with a line for each amount."""
    invoice = client.v1.invoices.create({"customer": customer, "currency": "usd"})
    for amount in amounts:
        client.v1.invoice_items.create(
            {"customer": customer, "amount": amount, "currency": "usd", "invoice": invoice.id}
        )
    return client.v1.invoices.retrieve(invoice.id)


def test_a_draft_is_finalized_and_paid(client: StripeClient, shop: Shop) -> None:
    invoice = draft_of(client, shop.customer().id, 500, 250)
    assert (invoice.status, invoice.total, invoice.number) == ("draft", 750, None)

    opened = client.v1.invoices.finalize_invoice(invoice.id)
    paid = client.v1.invoices.pay(invoice.id, {"expand": ["payments"]})

    assert (opened.status, opened.amount_remaining) == ("open", 750)
    assert opened.number is not None
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 750, 0)
    assert paid.payments is not None
    assert paid.payments.data[0].status == "paid"
    assert shop.kinds()[-6:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]


def test_a_payments_event_tells_what_it_changed(client: StripeClient, shop: Shop) -> None:
    invoice = draft_of(client, shop.customer().id, 500)

    client.v1.invoices.pay(invoice.id)

    assert previous(shop.events("invoice.updated")[-1]) == {
        "amount_paid": 0,
        "amount_remaining": 500,
        "attempt_count": 0,
        "attempted": False,
        "status": "open",
        "status_transitions": {"paid_at": None},
    }


def test_a_declined_payment_is_kept_though_it_is_an_error(
    client: StripeClient, shop: Shop
) -> None:
    invoice = draft_of(client, shop.customer(card="pm_card_chargeCustomerFail").id, 500)

    with pytest.raises(CardError) as refused:
        client.v1.invoices.pay(invoice.id)

    found = client.v1.invoices.retrieve(invoice.id)
    assert refused.value.http_status == 402
    assert (found.status, found.attempt_count) == ("open", 1)
    assert shop.kinds()[-1] == "invoice.payment_failed"


def test_an_open_invoice_is_voided_with_its_payment(client: StripeClient, shop: Shop) -> None:
    invoice = draft_of(client, shop.customer().id, 500)
    client.v1.invoices.finalize_invoice(invoice.id)

    voided = client.v1.invoices.void_invoice(invoice.id)

    assert voided.status == "void"
    assert client.v1.payment_intents.list().data[0].status == "canceled"
    with pytest.raises(InvalidRequestError, match="can't be paid"):
        client.v1.invoices.pay(invoice.id)


def test_an_invoice_that_was_written_off_can_still_be_paid(
    client: StripeClient, shop: Shop
) -> None:
    invoice = draft_of(client, shop.customer().id, 500)
    client.v1.invoices.finalize_invoice(invoice.id)

    written_off = client.v1.invoices.mark_uncollectible(invoice.id)
    paid = client.v1.invoices.pay(invoice.id, {"paid_out_of_band": True})

    assert written_off.status == "uncollectible"
    assert (paid.status, paid.amount_paid) == ("paid", 0)


def test_only_a_draft_can_be_deleted_or_freely_changed(client: StripeClient, shop: Shop) -> None:
    first, second = (draft_of(client, shop.customer().id, 500) for _ in range(2))
    client.v1.invoices.finalize_invoice(second.id)

    client.v1.invoices.delete(first.id)

    with pytest.raises(InvalidRequestError, match="No such invoice"):
        client.v1.invoices.retrieve(first.id)
    with pytest.raises(InvalidRequestError, match="only delete draft"):
        client.v1.invoices.delete(second.id)
    with pytest.raises(InvalidRequestError, match="can't be updated"):
        client.v1.invoices.update(second.id, {"description": "late"})
    client.v1.invoices.update(second.id, {"metadata": {"fine": "1"}})


def test_an_invoices_body_shows_ten_lines_and_its_list_all(
    client: StripeClient, shop: Shop
) -> None:
    invoice = draft_of(client, shop.customer().id, *range(1, 13))

    lines = list(client.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter())

    assert len(invoice.lines.data) == 10
    assert invoice.lines.has_more
    assert [line.amount for line in lines] == list(range(1, 13))
    assert invoice.total == sum(range(1, 13))


def test_pending_items_wait_for_an_invoice_that_takes_them(
    client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer().id
    client.v1.invoice_items.create({"customer": customer, "amount": 300, "currency": "usd"})

    without = client.v1.invoices.create({"customer": customer})
    taking = client.v1.invoices.create(
        {"customer": customer, "pending_invoice_items_behavior": "include"}
    )

    assert (without.total, taking.total) == (0, 300)
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_a_changed_or_deleted_invoice_item_changes_its_draft(
    client: StripeClient, shop: Shop
) -> None:
    invoice = draft_of(client, shop.customer().id, 500, 250)
    second, first = client.v1.invoice_items.list().data

    client.v1.invoice_items.update(first.id, {"amount": 700})
    client.v1.invoice_items.delete(second.id)

    assert client.v1.invoices.retrieve(invoice.id).total == 700


def test_a_draft_that_advances_by_itself_is_finalized_after_an_hour(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    invoice = draft_of(client, shop.customer().id, 500)
    client.v1.invoices.update(invoice.id, {"auto_advance": True})

    simulator.advance(seconds=3_700)

    assert client.v1.invoices.retrieve(invoice.id).status == "paid"


def test_an_invoice_that_is_sent_comes_due(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer(card="")
    client.v1.invoice_items.create({"customer": customer.id, "amount": 300, "currency": "usd"})
    invoice = client.v1.invoices.create(
        {
            "customer": customer.id,
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "pending_invoice_items_behavior": "include",
        }
    )
    sent = client.v1.invoices.send_invoice(invoice.id)
    assert sent.status == "open"

    simulator.advance(seconds=30 * DAY_SECONDS)

    assert shop.kinds()[-1] == "invoice.overdue"


def test_a_subscription_can_be_billed_by_sent_invoices(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription(
        shop.customer(card=""), collection_method="send_invoice", days_until_due=7
    )

    simulator.advance(seconds=3_700)

    invoice = client.v1.invoices.retrieve(str(subscription.latest_invoice))
    assert (subscription.status, invoice.status) == ("active", "open")
    assert invoice.status_transitions.finalized_at is not None
    assert invoice.due_date == invoice.status_transitions.finalized_at + 7 * DAY_SECONDS


def test_tiers_are_counted_as_graduated_or_as_volume(client: StripeClient, shop: Shop) -> None:
    totals = []
    for mode in ("graduated", "volume"):
        price = client.v1.prices.create(
            {
                "billing_scheme": "tiered",
                "currency": "usd",
                "product_data": {"name": mode},
                "recurring": {"interval": "month"},
                "tiers": [
                    {"up_to": 2, "unit_amount": 100},
                    {"up_to": "inf", "unit_amount": 50, "flat_amount": 10},
                ],
                "tiers_mode": mode,
                "expand": ["tiers"],
            }
        )
        assert price.tiers is not None
        subscription = shop.subscription(items=[{"price": price.id, "quantity": 5}])
        totals.append(client.v1.invoices.retrieve(str(subscription.latest_invoice)).total)

    assert totals == [2 * 100 + 3 * 50 + 10, 5 * 50 + 10]
