"""Every object that Stripe shows anywhere is in the inbox, as a list shows it."""

import json

import pytest
from stripe import StripeClient

from schemas.endpoints import load_ways
from schemas.inbox import Evidence, Kind, Source
from simulator.server import Simulator
from tests.backfill.backfilling import Backfilling
from tests.simulator.shop import Shop

pytestmark = pytest.mark.stack

DAY = 24 * 3_600
PARENT_FIELDS = {"fee_refund": "fee", "transfer_reversal": "transfer"}
"""Where a list's address calls its parent `id`, the name that the body has for it."""


def test_a_canceled_subscription_is_backfilled(
    backfilling: Backfilling, client: StripeClient, shop: Shop
) -> None:
    kept, ended = shop.subscription().id, shop.subscription().id
    client.v1.subscriptions.cancel(ended)

    backfilling.run("subscription")

    bodies = backfilling.bodies()
    assert (bodies[kept]["status"], bodies[ended]["status"]) == ("active", "canceled")


def test_an_inactive_price_is_backfilled(
    backfilling: Backfilling, client: StripeClient, shop: Shop
) -> None:
    kept, ended = shop.price().id, shop.price().id
    client.v1.prices.update(ended, {"active": False})

    backfilling.run("price")

    bodies = backfilling.bodies()
    assert (bodies[kept]["active"], bodies[ended]["active"]) == (True, False)


def test_lists_of_many_pages_are_read_to_their_end_each_object_once(
    backfilling: Backfilling,
) -> None:
    made = backfilling.simulator.make("customer", count=1_050, over_seconds=30 * DAY)
    made += backfilling.simulator.make("payment_link", count=250)

    backfilling.run("customer", "payment_link")

    assert sorted(backfilling.keys()) == sorted(made)


def test_an_invoice_of_250_lines_is_stored_with_all_of_them_and_no_line_alone(
    backfilling: Backfilling,
) -> None:
    invoices = backfilling.simulator.make("invoice", count=3, children={"lines": 250})

    backfilling.run("invoice")

    assert sorted(backfilling.keys()) == sorted(invoices)
    for body in backfilling.bodies().values():
        lines = json.loads(json.dumps(body["lines"]))
        assert (len({line["id"] for line in lines["data"]}), lines["has_more"]) == (250, False)


def test_what_lists_show_only_where_it_is_asked_for_is_asked_for(
    backfilling: Backfilling,
) -> None:
    (session,) = backfilling.simulator.make("checkout.session", children={"line_items": 12})

    backfilling.run("checkout.session")

    items = json.loads(json.dumps(backfilling.bodies()[session]["line_items"]))
    assert (len(items["data"]), items["has_more"]) == (12, False)


def test_lists_below_others_are_read_for_each_of_them(backfilling: Backfilling) -> None:
    simulator = backfilling.simulator
    customers = simulator.make("customer", count=3)
    made = [
        identifier
        for customer in customers
        for identifier in simulator.make("tax_id", count=12, fields={"customer": customer})
    ]

    backfilling.run("tax_id")

    assert set(made) <= set(backfilling.keys())
    assert not set(customers) & set(backfilling.keys())


def test_parents_that_are_wanted_themselves_are_listed_once(backfilling: Backfilling) -> None:
    backfilling.simulator.make("customer", count=101)
    backfilling.run("customer", "tax_id", "payment_method")

    keys = backfilling.keys()
    assert sum(1 for key in keys if key.startswith("cus_")) == 101


def test_a_record_says_that_a_list_showed_it_and_when(backfilling: Backfilling) -> None:
    second = backfilling.simulator.stop_clock()
    (coupon,) = backfilling.simulator.make("coupon")

    backfilling.run("coupon", "balance")

    shown = backfilling.envelopes()
    assert (shown[coupon].kind, shown[coupon].source) == (Kind.SNAPSHOT, Source.BACKFILL)
    assert (shown[coupon].evidence, shown["balance"].evidence) == (
        Evidence.LIST,
        Evidence.RETRIEVE,
    )
    assert shown[coupon].observed_second in (second, second - 1)


def test_only_what_was_created_in_the_time_wanted_is_stored(backfilling: Backfilling) -> None:
    simulator = backfilling.simulator
    made = simulator.make("customer", count=10, created=1_700_000_000, over_seconds=10 * DAY)
    # A list without a filter of its own.
    links = simulator.make("quote", count=10, created=1_700_000_000, over_seconds=10 * DAY)
    window = ("--since", "2023-11-16T22:13:20", "--until", "2023-11-18T22:13:20")

    backfilling.run("customer", "quote", *window)

    assert sorted(backfilling.keys()) == sorted([*made[2:4], *links[2:4]])


def test_two_accounts_with_the_same_coupon_do_not_collide(
    backfilling: Backfilling, client: StripeClient
) -> None:
    accounts = [client.v1.accounts.create({"type": "standard"}).id for _ in range(2)]
    for account in ("", *accounts):
        options = {"stripe_account": account} if account else {}
        client.v1.coupons.create({"id": "summer", "percent_off": 10.0}, options=options)  # type: ignore[arg-type]

    backfilling.run("coupon", "--connected")

    assert sorted(backfilling.keys()) == sorted(
        ["summer", *(f"{account}/summer" for account in accounts)]
    )


def make_one(simulator: Simulator, name: str) -> list[str]:
    """An object for each list of a type, made with what that list belongs to; their ids."""
    made = []
    for endpoint in load_ways()[name].lists:
        fields = {}
        if endpoint.parent:
            parent = make_one(simulator, endpoint.parent)[0]
            fields = {PARENT_FIELDS.get(name, endpoint.parent_field): parent}
        made += simulator.make(name, fields=fields)
    return made


def test_every_type_that_stripe_lists_is_read_from_each_of_its_lists(
    backfilling: Backfilling,
) -> None:
    # The simulator grants an account's capabilities itself.
    listed = [name for name, ways in load_ways().items() if ways.lists and name != "capability"]
    made = {name: make_one(backfilling.simulator, name) for name in listed}

    ended = backfilling.run()

    keys = set(backfilling.keys())
    missing = {name for name, ids in made.items() if not keys.issuperset(ids)}
    assert missing == set(), ended.shown


def test_what_its_parent_shows_already_is_not_asked_for_again(backfilling: Backfilling) -> None:
    simulator = backfilling.simulator
    transfers = simulator.make("transfer", count=150)
    made = simulator.make("transfer_reversal", count=3, fields={"transfer": transfers[0]})
    many = simulator.make("transfer_reversal", count=12, fields={"transfer": transfers[1]})

    backfilling.run("transfer_reversal")

    assert sorted(backfilling.keys()) == sorted([*made, *many])
    asked = simulator.requests_by_second(endpoint="GET /v1/transfers/{id}/reversals")
    # Only the one list goes on.
    assert sum(asked.values()) == 1
