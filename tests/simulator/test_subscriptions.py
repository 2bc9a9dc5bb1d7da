"""Subscriptions from their first second to their last."""

import pytest
from stripe import CardError, InvalidRequestError, StripeClient

from simulator.server import Simulator
from tests.simulator.shop import DAY_SECONDS, Shop, items_of, metadata_of, previous, subject


def test_a_trial_begins_and_becomes_an_active_subscription(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.stop_clock()
    trial = shop.subscription(trial_period_days=14)
    assert trial.status == "trialing"
    assert trial.trial_end == trial.created + 14 * DAY_SECONDS

    simulator.advance(seconds=12 * DAY_SECONDS)
    assert shop.kinds()[-1] == "customer.subscription.trial_will_end"
    simulator.advance(seconds=2 * DAY_SECONDS)

    active = client.v1.subscriptions.retrieve(trial.id)
    assert active.status == "active"
    assert items_of(active)[0].current_period_start == trial.trial_end
    (event,) = shop.events("customer.subscription.updated")
    assert event.created == trial.trial_end
    assert previous(event)["status"] == "trialing"


def test_a_trial_without_a_card_can_end_in_a_pause_and_be_resumed(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer(card="")
    settings = {"end_behavior": {"missing_payment_method": "pause"}}
    trial = shop.subscription(customer, trial_period_days=1, trial_settings=settings)

    simulator.advance(seconds=DAY_SECONDS)
    paused = client.v1.subscriptions.retrieve(trial.id)
    client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    card = client.v1.payment_methods.list({"customer": customer.id}).data[0]
    client.v1.subscriptions.update(trial.id, {"default_payment_method": card.id})
    resumed = client.v1.subscriptions.resume(trial.id)

    assert paused.status == "paused"
    assert resumed.status == "active"
    kinds = shop.kinds()
    assert "customer.subscription.paused" in kinds
    assert kinds[-1] == "customer.subscription.resumed"


def test_a_trial_without_a_card_can_end_in_a_cancellation(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    settings = {"end_behavior": {"missing_payment_method": "cancel"}}
    trial = shop.subscription(shop.customer(card=""), trial_period_days=1, trial_settings=settings)

    simulator.advance(seconds=DAY_SECONDS)

    assert client.v1.subscriptions.retrieve(trial.id).status == "canceled"


def test_a_trial_can_be_ended_now(client: StripeClient, shop: Shop) -> None:
    trial = shop.subscription(trial_period_days=14)

    ended = client.v1.subscriptions.update(trial.id, {"trial_end": "now"})

    (event,) = shop.events("customer.subscription.updated")
    assert ended.status == "active"
    assert previous(event)["trial_end"] == trial.trial_end
    assert ended.latest_invoice != trial.latest_invoice


def test_a_paid_subscription_is_incomplete_and_then_active_in_one_second(
    simulator: Simulator, shop: Shop
) -> None:
    simulator.stop_clock()

    subscription = shop.subscription()

    created = shop.events("customer.subscription.created")[0]
    updated = shop.events("customer.subscription.updated")[0]
    assert subject(created)["status"] == "incomplete"
    assert previous(updated) == {"status": "incomplete"}
    assert created.created == updated.created == subscription.created
    assert subscription.status == "active"


def test_a_subscription_needs_something_to_pay_with(client: StripeClient, shop: Shop) -> None:
    customer = shop.customer(card="")
    before = shop.kinds()

    with pytest.raises(InvalidRequestError, match="no attached payment source"):
        shop.subscription(customer)

    assert client.v1.subscriptions.list({"status": "all"}).data == []
    assert set(shop.kinds()[len(before) :]) == {"product.created", "price.created"}


def test_a_declined_card_leaves_the_subscription_incomplete_and_then_expired(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription(shop.customer(card="pm_card_chargeCustomerFail"))
    assert subscription.status == "incomplete"

    simulator.advance(seconds=DAY_SECONDS)

    assert client.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"
    invoice = client.v1.invoices.retrieve(str(subscription.latest_invoice))
    assert invoice.status == "void"


def test_a_declined_card_can_be_an_error_that_leaves_nothing_behind(
    client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer(card="pm_card_chargeCustomerFail")

    with pytest.raises(CardError) as refused:
        shop.subscription(customer, payment_behavior="error_if_incomplete")

    assert refused.value.code == "card_declined"
    assert client.v1.subscriptions.list({"status": "all"}).data == []
    assert client.v1.invoices.list().data == []


def test_a_canceled_subscription_is_listed_only_when_asked_for(
    client: StripeClient, shop: Shop
) -> None:
    kept, canceled = shop.subscription(), shop.subscription()

    ended = client.v1.subscriptions.cancel(canceled.id)

    def ids(**asked: str) -> list[str]:
        return [found.id for found in client.v1.subscriptions.list(asked).data]  # type: ignore[arg-type]

    assert ended.status == "canceled"
    assert ids() == [kept.id]
    assert ids(status="all") == [canceled.id, kept.id]
    assert ids(status="canceled") == ids(status="ended") == [canceled.id]
    assert client.v1.subscriptions.retrieve(canceled.id).ended_at == ended.ended_at
    assert shop.kinds()[-1] == "customer.subscription.deleted"


def test_a_canceled_subscription_takes_only_metadata(client: StripeClient, shop: Shop) -> None:
    subscription = shop.subscription()
    client.v1.subscriptions.cancel(subscription.id)

    changed = client.v1.subscriptions.update(subscription.id, {"metadata": {"late": "1"}})

    assert metadata_of(changed) == {"late": "1"}
    with pytest.raises(InvalidRequestError, match="can only update"):
        client.v1.subscriptions.update(subscription.id, {"description": "x"})
    with pytest.raises(InvalidRequestError, match="No such subscription"):
        client.v1.subscriptions.cancel(subscription.id)


def test_a_cancellation_at_the_periods_end_can_be_taken_back(
    client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription()

    asked = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    back = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": False})

    assert asked.cancel_at == items_of(asked)[0].current_period_end
    assert asked.cancellation_details is not None
    assert asked.cancellation_details.reason == "cancellation_requested"
    assert (back.cancel_at, back.canceled_at, back.cancel_at_period_end) == (None, None, False)


def test_a_cancellation_at_the_periods_end_comes(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription()
    client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    ends = items_of(subscription)[0].current_period_end

    simulator.advance_to(ends)

    found = client.v1.subscriptions.retrieve(subscription.id)
    assert (found.status, found.ended_at) == ("canceled", ends)
    assert len(client.v1.invoices.list().data) == 1


def test_paused_collection_voids_the_renewals_invoice_and_ends_by_itself(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription()
    resumes_at = subscription.created + 40 * DAY_SECONDS
    pause = {"behavior": "void", "resumes_at": resumes_at}
    client.v1.subscriptions.update(subscription.id, {"pause_collection": pause})  # type: ignore[arg-type]

    simulator.advance(seconds=32 * DAY_SECONDS)
    renewed = client.v1.subscriptions.retrieve(subscription.id)
    simulator.advance_to(resumes_at)

    assert renewed.pause_collection is not None
    assert client.v1.invoices.retrieve(str(renewed.latest_invoice)).status == "void"
    assert client.v1.subscriptions.retrieve(subscription.id).pause_collection is None


def test_paused_collection_is_taken_back_by_an_empty_value(
    client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription()
    pause = {"behavior": "keep_as_draft"}
    client.v1.subscriptions.update(subscription.id, {"pause_collection": pause})  # type: ignore[arg-type]

    changed = client.v1.subscriptions.update(subscription.id, {"pause_collection": ""})

    assert changed.pause_collection is None


def test_items_are_added_changed_and_removed_in_one_update(
    client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription(
        items=[{"price": shop.price().id}, {"price": shop.price().id}]
    )
    first, second = items_of(subscription)

    changed = client.v1.subscriptions.update(
        subscription.id,
        {
            "items": [
                {"id": first.id, "quantity": 3},
                {"id": second.id, "deleted": True},
                {"price": shop.price(amount=50).id},
            ]
        },
    )

    items = items_of(changed)
    assert [(item.quantity, item.price.unit_amount) for item in items] == [(3, 1_000), (1, 50)]
    before = previous(shop.events("customer.subscription.updated")[-1])["items"]["data"]
    assert [item["id"] for item in before] == [first.id, second.id]


def test_an_items_own_endpoints_change_the_subscription(client: StripeClient, shop: Shop) -> None:
    subscription = shop.subscription()
    (item,) = items_of(subscription)

    client.v1.subscription_items.update(item.id, {"quantity": 7})
    added = client.v1.subscription_items.create(
        {"subscription": subscription.id, "price": shop.price().id}
    )
    client.v1.subscription_items.delete(item.id)

    found = client.v1.subscriptions.retrieve(subscription.id)
    assert [item.id for item in items_of(found)] == [added.id]
    listed = client.v1.subscription_items.list({"subscription": subscription.id})
    assert [item.id for item in listed.data] == [added.id]
    assert shop.kinds().count("customer.subscription.updated") == 4


def test_a_subscription_keeps_at_least_one_item(client: StripeClient, shop: Shop) -> None:
    subscription = shop.subscription()
    (item,) = items_of(subscription)

    with pytest.raises(InvalidRequestError, match="at least one"):
        client.v1.subscription_items.delete(item.id)

    assert items_of(client.v1.subscriptions.retrieve(subscription.id))[0].id == item.id


def test_a_subscription_renews_each_period(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription()

    simulator.advance(seconds=92 * DAY_SECONDS)

    invoices = client.v1.invoices.list({"subscription": subscription.id}).data
    assert [invoice.billing_reason for invoice in invoices] == [
        "subscription_cycle",
        "subscription_cycle",
        "subscription_cycle",
        "subscription_create",
    ]
    assert {invoice.status for invoice in invoices} == {"paid"}


def test_a_renewal_that_cannot_be_paid_ends_the_subscription_after_its_retries(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription(trial_period_days=1)
    card = client.v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", {"customer": str(subscription.customer)}
    )
    client.v1.subscriptions.update(subscription.id, {"default_payment_method": card.id})

    simulator.advance(seconds=2 * DAY_SECONDS)
    late = client.v1.subscriptions.retrieve(subscription.id)
    simulator.advance(seconds=20 * DAY_SECONDS)
    ended = client.v1.subscriptions.retrieve(subscription.id)

    assert late.status == "past_due"
    assert ended.status == "canceled"
    assert ended.cancellation_details is not None
    assert ended.cancellation_details.reason == "payment_failed"
    assert shop.kinds().count("invoice.payment_failed") == 4


def test_an_upcoming_invoice_is_announced_without_an_id(simulator: Simulator, shop: Shop) -> None:
    shop.subscription()

    simulator.advance(seconds=27 * DAY_SECONDS)

    (event,) = shop.events("invoice.upcoming")
    assert "id" not in subject(event)
