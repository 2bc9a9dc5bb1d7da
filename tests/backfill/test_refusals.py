"""What the key may not read, or the account has not, is told and skipped."""

from http import HTTPStatus

import pytest
from stripe import StripeClient

from producer.topics import INBOX_RECORD_BYTES_MAX
from runtime.errors import ExitCode
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
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
    # Those that were not asked for are not read either.
    assert "(300 lists)" in ended.shown


def test_one_account_that_refuses_its_persons_hides_no_other_accounts(
    backfilling: Backfilling, client: StripeClient
) -> None:
    simulator = backfilling.simulator
    accounts = [client.v1.accounts.create().id for _account in range(6)]
    persons = {account: client.v1.accounts.persons.create(account).id for account in accounts}
    standard = accounts[2::2]
    simulator.put_faults(forbidden(*(f"/v1/accounts/{account}/persons" for account in standard)))

    ended = backfilling.run("person")

    assert set(backfilling.keys()) == {
        person for account, person in persons.items() if account not in standard
    }
    assert f"({len(standard)} lists)" in ended.shown


def test_an_object_larger_than_the_inbox_takes_is_told_and_ends_the_run_with_a_failure(
    backfilling: Backfilling,
) -> None:
    simulator = backfilling.simulator
    small = simulator.make("product", count=2)
    (large,) = simulator.make("product")
    for field in ("description", "name", "unit_label", "url"):
        simulator.change("product", large, {field: "x" * (INBOX_RECORD_BYTES_MAX // 4 + 1)})

    ended = backfilling.start("product").end()

    assert ended.code == ExitCode.FAILED
    assert sorted(backfilling.keys()) == sorted(small)
    assert "1 not stored: too large" in ended.shown
    assert "not stored" in ended.said
    assert "beginning of their lists" not in ended.shown


def forbidden(*paths: str) -> FaultPlan:
    """Stripe refuses these paths."""
    kind = ResponseFaultKind.FORBIDDEN
    return FaultPlan(responses=tuple(ResponseFault(kind=kind, path=path) for path in paths))


def test_a_wrong_key_ends_the_run_and_is_named(backfilling: Backfilling) -> None:
    ended = backfilling.start("coupon", STRIPE_API_KEY="sk_live_of_another_mode").end()

    assert ended.code == ExitCode.WRONG_USAGE
    assert "STRIPE_API_KEY" in ended.said


def test_an_object_that_is_deleted_while_its_list_is_read_stops_nothing(
    backfilling: Backfilling,
) -> None:
    made = backfilling.simulator.make("coupon", count=1_000, over_seconds=1_000)
    run = backfilling.start("coupon", STRIPE_REQUESTS_PER_SECOND_MAX="5")
    backfilling.await_requests(run, 4)
    # The last one of each page: whichever is read next, its cursor names what is gone.
    gone = set(made[-100::-100])
    for coupon in gone:
        backfilling.simulator.remove("coupon", coupon, events=False)

    ended = run.end()

    assert ended.code == 0, ended.said
    assert set(made) - gone <= set(backfilling.keys())
