"""What is read for the types that were chosen: each list once, parents before their children."""

from collections.abc import Iterator

import pytest

from producer.backfill_plan import Listing, plan_for, require_listed
from runtime.errors import WrongSetting
from schemas.endpoints import load_ways

WAYS = load_ways()


def every_listing(listings: tuple[Listing, ...]) -> Iterator[Listing]:
    for listing in listings:
        yield listing
        yield from every_listing(listing.below)


def test_every_list_of_every_type_is_read_in_each_of_its_passes() -> None:
    plan = plan_for(WAYS, WAYS)

    read = {(one.endpoint.path, one.address) for one in every_listing(plan.listings)}
    for ways in WAYS.values():
        for endpoint in ways.lists:
            passes = [address for path, address in read if path == endpoint.path]
            assert len(passes) >= len(endpoint.passes)


def test_no_list_without_a_parent_is_read_twice() -> None:
    addresses = [listing.address for listing in plan_for(WAYS, WAYS).listings]

    assert len(addresses) == len(set(addresses))


def test_a_parent_that_was_not_chosen_is_read_and_not_stored() -> None:
    plan = plan_for(["tax_id"], WAYS)

    customers = [one for one in plan.listings if one.object_name == "customer"]
    assert [one.keeps for one in customers] == [False]
    assert {below.object_name for below in customers[0].below} == {"tax_id"}


def test_children_of_a_chosen_parent_are_read_with_it() -> None:
    plan = plan_for(["customer", "tax_id"], WAYS)

    customers = [one for one in plan.listings if one.object_name == "customer"]
    assert [one.keeps for one in customers] == [True]
    assert {below.object_name for below in customers[0].below} == {"tax_id"}


def test_what_belongs_to_a_test_clock_is_read_for_each_clock() -> None:
    (clocks,) = (
        one
        for one in plan_for(["subscription"], WAYS).listings
        if one.object_name == "test_helpers.test_clock"
    )

    assert [(one.object_name, one.keeps) for one in clocks.below] == [("subscription", True)]


def test_the_only_object_of_its_type_is_retrieved() -> None:
    singles = {one.object_name: one.path for one in plan_for(WAYS, WAYS).singles}

    assert singles["balance"] == "/v1/balance"
    assert singles["tax.settings"] == "/v1/tax/settings"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("line_item", "producer backfill invoice"),
        ("subscription_item", "producer backfill subscription"),
        ("ephemeral_key", "short-lived secret"),
        ("token", "retrieved by its id"),
    ],
)
def test_what_stripe_does_not_list_is_refused_with_what_to_do_instead(
    name: str, words: str
) -> None:
    with pytest.raises(WrongSetting, match=words):
        require_listed([name], WAYS)


def test_a_list_of_several_types_is_read_once_for_all_of_them() -> None:
    plan = plan_for(["card", "source", "source_transaction"], WAYS)

    (customers,) = (
        one for one in plan.listings if one.endpoint.path == "/v1/customers" and one.below
    )
    (sources,) = customers.below
    assert not sources.parameters
    assert sources.only == {"card", "source"}
    assert [below.object_name for below in sources.below] == ["source_transaction"]
