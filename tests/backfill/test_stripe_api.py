"""Objects and pages as bytes, over real HTTP, and what each refusal of Stripe's means."""

import json

import pytest
from stripe import StripeClient

from producer.errors import RateLimited, StripeRefused, StripeUnreachable
from producer.rate_bucket import Purpose
from producer.rate_limit import RateLimiter
from producer.stripe_api import Page, StripeApi
from runtime.clock import SystemClock
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from simulator.server import Simulator
from tests.backfill.backfilling import API_KEY
from tests.simulator.shop import Shop


def page(api: StripeApi, path: str = "/v1/customers", **parameters: str) -> Page:
    return api.page(path=path, parameters=parameters, account_id="", purpose=Purpose.BACKGROUND)


def fails(simulator: Simulator, kind: ResponseFaultKind) -> None:
    simulator.put_faults(FaultPlan(responses=(ResponseFault(kind=kind, seconds=0.0),)))


def test_pages_hold_each_object_as_stripe_sent_it(
    api: StripeApi, simulator: Simulator, client: StripeClient
) -> None:
    simulator.stop_clock()
    made = [client.v1.customers.create({"name": f"customer {number}"}).id for number in range(5)]
    second = simulator.now()

    first = page(api, limit="3")
    rest = page(api, limit="3", starting_after=first.last_id)

    assert [json.loads(item)["id"] for item in (*first.items, *rest.items)] == made[::-1]
    assert (first.has_more, rest.has_more) == (True, False)
    # Some of the second had passed, or none: what was asked took less than one.
    assert first.observed_second in (second, second - 1)
    as_shown = client.raw_request("get", f"/v1/customers/{made[-1]}").body
    assert json.loads(first.items[0]) == json.loads(as_shown)


def test_an_address_may_bring_parameters_of_its_own(api: StripeApi, shop: Shop) -> None:
    subscription = shop.subscription()
    shop.subscription()

    found = page(api, f"/v1/subscription_items?subscription={subscription.id}", limit="100")

    assert [json.loads(item)["subscription"] for item in found.items] == [subscription.id]


def test_an_object_that_is_not_there_is_gone(api: StripeApi) -> None:
    found = api.retrieve(
        path="/v1/prices/price_1", object_name="price", object_id="price_1", account_id=""
    )

    assert found.gone
    assert json.loads(found.body) == {"id": "price_1", "object": "price", "deleted": True}


def test_an_object_that_stripe_remembers_as_deleted_is_gone(
    api: StripeApi, client: StripeClient
) -> None:
    customer = client.v1.customers.create().id
    client.v1.customers.delete(customer)

    found = api.retrieve(
        path=f"/v1/customers/{customer}", object_name="customer", object_id=customer, account_id=""
    )

    assert found.gone


def test_a_429_is_told_to_the_limiter_and_asks_to_come_later(
    api: StripeApi, simulator: Simulator, limiter: RateLimiter
) -> None:
    before = limiter.per_second(account_id="")
    fails(simulator, ResponseFaultKind.RATE_LIMITED)

    with pytest.raises(RateLimited):
        page(api)

    assert limiter.per_second(account_id="") < 0.6 * before


@pytest.mark.parametrize("kind", [ResponseFaultKind.SERVER_ERROR, ResponseFaultKind.CUT])
def test_a_failing_stripe_is_to_be_asked_again(
    api: StripeApi, simulator: Simulator, kind: ResponseFaultKind
) -> None:
    fails(simulator, kind)

    with pytest.raises(StripeUnreachable):
        page(api)


def test_a_refusal_says_why_in_a_word_and_in_stripes_own(api: StripeApi) -> None:
    with pytest.raises(StripeRefused) as refused:
        page(api, "/v1/no_such_list")

    assert refused.value.reason == "not_found"
    assert "/v1/no_such_list" in refused.value.said


def test_a_wrong_key_is_refused(simulator: Simulator, limiter: RateLimiter) -> None:
    stranger = StripeApi(key="wrong", base=simulator.url, clock=SystemClock(), limiter=limiter)

    with pytest.raises(StripeRefused) as refused:
        page(stranger)

    assert refused.value.reason == "unauthorized"


def test_where_nobody_listens_stripe_is_to_be_asked_again(limiter: RateLimiter) -> None:
    nowhere = StripeApi(
        key=API_KEY, base="http://127.0.0.1:1", clock=SystemClock(), limiter=limiter
    )

    with pytest.raises(StripeUnreachable):
        page(nowhere)


def test_an_object_is_retrieved_with_its_lists_whole(
    api: StripeApi, client: StripeClient, shop: Shop
) -> None:
    customer = shop.customer().id
    for number in range(12):
        client.v1.invoice_items.create(
            {"customer": customer, "amount": number + 1, "currency": "usd"}
        )
    invoice = client.v1.invoices.create(
        {"customer": customer, "pending_invoice_items_behavior": "include"}
    ).id

    found = api.retrieve(
        path=f"/v1/invoices/{invoice}", object_name="invoice", object_id=invoice, account_id=""
    )

    lines = json.loads(found.body)["lines"]
    assert (len(lines["data"]), lines["has_more"]) == (12, False)
