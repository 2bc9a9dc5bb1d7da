"""What the key may not read, or the account has not, is told and skipped."""

from http import HTTPStatus

import pytest
from stripe import StripeClient

from runtime.errors import ExitCode
from tests.backfill.backfilling import Backfilling
from tests.backfill.refusing import RefusingStripe

pytestmark = pytest.mark.stack


def test_what_may_not_be_read_is_told_and_all_else_is_there(backfilling: Backfilling) -> None:
    simulator = backfilling.simulator
    (coupon,) = simulator.make("coupon")
    simulator.make("product")
    refused = {
        "/v1/products": HTTPStatus.FORBIDDEN,
        "/v1/issuing/cards": HTTPStatus.BAD_REQUEST,
        "/v1/climate/orders": HTTPStatus.NOT_FOUND,
    }

    with RefusingStripe(simulator.url, refused=refused) as stripe:
        ended = backfilling.run(
            "coupon", "product", "issuing.card", "climate.order", STRIPE_API_BASE=stripe.url
        )

    assert backfilling.keys() == [coupon]
    for told in ("forbidden: not /v1/products", "bad_request: not", "not_found: not"):
        assert told in ended.shown


def test_a_list_below_others_that_may_not_be_read_is_not_asked_for_each_of_them(
    backfilling: Backfilling,
) -> None:
    customers = backfilling.simulator.make("customer", count=300)
    refused = {"/tax_ids": HTTPStatus.FORBIDDEN}

    with RefusingStripe(backfilling.simulator.url, refused=refused) as stripe:
        ended = backfilling.run("customer", "tax_id", STRIPE_API_BASE=stripe.url)

    assert sorted(backfilling.keys()) == sorted(customers)
    assert sum(path.endswith("/tax_ids") for path in stripe.paths) < 200
    assert ended.shown.count("forbidden: not") >= 1


def test_a_wrong_key_ends_the_run_and_is_named(backfilling: Backfilling) -> None:
    ended = backfilling.start("coupon", STRIPE_API_KEY="sk_live_of_another_mode").end()

    assert ended.code == ExitCode.WRONG_USAGE
    assert "STRIPE_API_KEY" in ended.said


def test_a_customer_that_is_deleted_while_the_list_is_read_stops_nothing(
    backfilling: Backfilling, client: StripeClient
) -> None:
    made = backfilling.simulator.make("customer", count=1_000, over_seconds=1_000)
    run = backfilling.start("customer", STRIPE_REQUESTS_PER_SECOND_MAX="10")
    # The last of the first page: the cursor that the next request names.
    backfilling.await_requests(run, 2)
    for customer in made[-100::-100]:
        client.v1.customers.delete(customer)

    ended = run.end()

    assert ended.code == 0, ended.said
    assert set(made) - set(made[-100::-100]) <= set(backfilling.keys())
