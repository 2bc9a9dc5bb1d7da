"""Parents and children: lists inside objects, where they are whole, and what a change shows."""

from typing import Any

import httpx
import pytest
from stripe import StripeClient

from simulator.server import Simulator
from tests.simulator.shop import Shop, subject


def get(http: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    answer = http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def whole_list(http: httpx.Client, url: str) -> list[str]:
    """The ids of a list, read page by page from the address that an embedded one names."""
    ids: list[str] = []
    path, _, query = url.partition("?")
    asked: dict[str, Any] = {**httpx.QueryParams(query), "limit": 100}
    while True:
        page = get(http, path, **asked)
        ids += [body["id"] for body in page["data"]]
        if not page["has_more"]:
            return ids
        asked["starting_after"] = ids[-1]


@pytest.mark.parametrize(
    ("name", "field", "path"),
    [
        ("application_fee", "refunds", "application_fees"),
        ("charge", "refunds", "charges"),
        ("checkout.session", "line_items", "checkout/sessions"),
        ("credit_note", "lines", "credit_notes"),
        ("customer", "tax_ids", "customers"),
        ("file", "links", "files"),
        ("invoice", "lines", "invoices"),
        ("payment_link", "line_items", "payment_links"),
        ("quote", "line_items", "quotes"),
        ("radar.value_list", "list_items", "radar/value_lists"),
        ("subscription", "items", "subscriptions"),
        ("tax.calculation", "line_items", "tax/calculations"),
        ("tax.transaction", "line_items", "tax/transactions"),
        ("transfer", "reversals", "transfers"),
    ],
)
def test_a_list_inside_an_object_is_cut_at_ten_and_whole_at_its_address(
    simulator: Simulator, http: httpx.Client, name: str, field: str, path: str
) -> None:
    (parent,) = simulator.make(name, children={field: 125})

    body = get(http, f"/v1/{path}/{parent}", **{"expand[]": field})[field]
    ids = whole_list(http, body["url"])

    assert [child["id"] for child in body["data"]] == ids[:10]
    assert body["has_more"]
    assert len(set(ids)) == 125


@pytest.mark.parametrize(
    ("name", "field", "path"),
    [
        ("charge", "refunds", "charges"),
        ("checkout.session", "line_items", "checkout/sessions"),
        ("customer", "sources", "customers"),
        ("customer", "subscriptions", "customers"),
        ("customer", "tax_ids", "customers"),
        ("invoice", "payments", "invoices"),
        ("payment_link", "line_items", "payment_links"),
        ("quote", "line_items", "quotes"),
    ],
)
def test_some_lists_are_shown_only_where_they_are_asked_for(
    simulator: Simulator, http: httpx.Client, name: str, field: str, path: str
) -> None:
    (parent,) = simulator.make(name)

    plain = get(http, f"/v1/{path}/{parent}")
    listed = get(http, f"/v1/{path}", **{"expand[]": f"data.{field}"})["data"][0]

    assert field not in plain
    assert listed[field]["object"] == "list"


def test_the_items_of_a_subscription_have_one_order(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    items = [{"price": shop.price().id} for _ in range(12)]
    subscription = shop.subscription(items=items)

    embedded = [item.id for item in subscription["items"].data]
    listed = client.v1.subscription_items.list({"subscription": subscription.id, "limit": 100})

    assert [item.id for item in listed.data][:10] == embedded
    assert len(listed.data) == 12


def test_a_new_child_changes_the_parent_that_shows_it(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    (transfer,) = simulator.make("transfer")
    (reversal,) = simulator.make("transfer_reversal", fields={"transfer": transfer})

    told = shop.events("transfer.updated")

    assert [subject(event)["reversals"]["data"][0]["id"] for event in told] == [reversal]
    found = client.v1.transfers.reversals.retrieve(transfer, reversal)
    assert (found.id, found.transfer) == (reversal, transfer)


def test_a_removed_child_leaves_its_parent(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    subscription = shop.subscription(items=[{"price": shop.price().id} for _ in range(2)])
    first, second = (item.id for item in subscription["items"].data)

    simulator.remove("subscription_item", first)

    changed = subject(shop.events("customer.subscription.updated")[-1])
    assert [item["id"] for item in changed["items"]["data"]] == [second]


def test_an_event_shows_the_first_ten_of_250_lines(simulator: Simulator, shop: Shop) -> None:
    simulator.make("invoice", children={"lines": 250})

    (event,) = shop.events("invoice.created")

    lines = subject(event)["lines"]
    assert (len(lines["data"]), lines["has_more"]) == (10, True)


def test_the_sources_of_a_customer_are_of_several_types(
    simulator: Simulator, http: httpx.Client, shop: Shop
) -> None:
    customer = shop.customer().id
    made = [simulator.make(name, fields={"customer": customer})[0] for name in ("card", "source")]
    simulator.make("card", fields={"customer": shop.customer().id})
    path = f"/v1/customers/{customer}/sources"

    assert sorted(whole_list(http, path)) == sorted(made)
    assert [body["id"] for body in get(http, path, object="card")["data"]] == made[:1]
    assert get(http, f"{path}/{made[0]}")["object"] == "card"
    assert shop.kinds().count("customer.source.created") == 3


def test_children_of_different_parents_do_not_mix(
    simulator: Simulator, http: httpx.Client
) -> None:
    first, second = (simulator.make("quote", children={"line_items": 3})[0] for _ in range(2))

    ids = [whole_list(http, f"/v1/quotes/{quote}/line_items") for quote in (first, second)]

    assert [len(found) for found in ids] == [3, 3]
    assert set(ids[0]).isdisjoint(ids[1])


def test_a_list_of_a_parent_that_does_not_exist_is_refused(http: httpx.Client) -> None:
    answer = http.get("/v1/customers/cus_never/tax_ids")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "resource_missing"


def test_a_list_that_needs_a_parent_says_so(http: httpx.Client) -> None:
    answer = http.get("/v1/setup_attempts")

    assert answer.json()["error"]["param"] == "setup_intent"
