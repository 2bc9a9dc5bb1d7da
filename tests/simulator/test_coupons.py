"""Coupons, promotion codes and what they take off an invoice."""

import pytest
from stripe import Coupon, InvalidRequestError, StripeClient, Subscription

from simulator.server import Simulator
from tests.simulator.shop import DAY_SECONDS, Shop, previous


def quarter_off(client: StripeClient, *, duration: str = "forever") -> Coupon:
    return client.v1.coupons.create({"percent_off": 25, "duration": duration})


def totals(client: StripeClient, subscription: Subscription) -> list[int]:
    """What the subscription's invoices came to, oldest first."""
    invoices = client.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data
    return [invoice.total for invoice in reversed(invoices)]


def test_a_coupon_takes_its_share_off_each_invoice(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    coupon = quarter_off(client)
    subscription = shop.subscription(discounts=[{"coupon": coupon.id}])

    simulator.advance(seconds=40 * DAY_SECONDS)

    assert totals(client, subscription) == [750, 750]
    assert client.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_a_coupon_for_once_counts_for_the_first_invoice_only(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    coupon = quarter_off(client, duration="once")
    subscription = shop.subscription(discounts=[{"coupon": coupon.id}])

    simulator.advance(seconds=40 * DAY_SECONDS)

    assert totals(client, subscription) == [750, 1_000]
    assert client.v1.subscriptions.retrieve(subscription.id).discounts == []


def test_a_promotion_code_gives_its_coupon_and_expands_to_it(
    client: StripeClient, shop: Shop
) -> None:
    coupon = quarter_off(client)
    code = client.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "FALL25"}
    )

    subscription = shop.subscription(
        discounts=[{"promotion_code": code.id}], expand=["discounts.source.coupon"]
    )

    (discount,) = subscription.discounts
    assert not isinstance(discount, str)
    assert discount.promotion_code == code.id
    assert discount.source.coupon == client.v1.coupons.retrieve(coupon.id)
    assert client.v1.promotion_codes.list({"code": "fall25"}).data[0].times_redeemed == 1


def test_an_inactive_promotion_code_gives_nothing(client: StripeClient, shop: Shop) -> None:
    coupon = quarter_off(client)
    code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    client.v1.promotion_codes.update(code.id, {"active": False})

    with pytest.raises(InvalidRequestError, match="not active"):
        shop.subscription(discounts=[{"promotion_code": code.id}])

    assert previous(shop.events("promotion_code.updated")[0]) == {"active": True}


def test_a_coupon_is_used_no_more_often_than_allowed(client: StripeClient, shop: Shop) -> None:
    coupon = client.v1.coupons.create({"amount_off": 100, "currency": "usd", "max_redemptions": 1})
    shop.subscription(discounts=[{"coupon": coupon.id}])

    with pytest.raises(InvalidRequestError) as refused:
        shop.subscription(discounts=[{"coupon": coupon.id}])

    assert refused.value.code == "coupon_expired"


def test_a_coupon_is_deleted_and_made_again_under_its_id(client: StripeClient) -> None:
    client.v1.coupons.create({"id": "WELCOME", "percent_off": 10})
    client.v1.coupons.delete("WELCOME")

    again = client.v1.coupons.create({"id": "WELCOME", "percent_off": 20})

    assert client.v1.coupons.retrieve("WELCOME") == again
    assert [coupon.percent_off for coupon in client.v1.coupons.list().data] == [20]


def test_a_subscriptions_discounts_can_be_taken_away(client: StripeClient, shop: Shop) -> None:
    subscription = shop.subscription(discounts=[{"coupon": quarter_off(client).id}])

    client.v1.subscriptions.delete_discount(subscription.id)

    assert client.v1.subscriptions.retrieve(subscription.id).discounts == []
    assert shop.kinds()[-2:] == ["customer.discount.deleted", "customer.subscription.updated"]
