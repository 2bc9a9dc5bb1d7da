"""A moved column is filled from whichever place its body has."""

from typing import Any

import pytest

from schemas.objects import load_catalogue
from schemas.places import Place, find

PRICE = {"pricing": {"price_details": {"price": "price_1", "product": "prod_1"}}}
ITEMS = {
    "object": "list",
    "data": [
        {"current_period_start": 10, "current_period_end": 400},
        {"current_period_start": 20, "current_period_end": 300},
        {"current_period_start": None, "current_period_end": None},
    ],
}
PAYMENTS = {
    "object": "list",
    "data": [
        {"is_default": False, "payment": {"payment_intent": "pi_old", "charge": "ch_old"}},
        {"is_default": True, "payment": {"payment_intent": "pi_new", "charge": "ch_new"}},
    ],
}


def column_value(object_name: str, column_name: str, body: dict[str, Any]) -> Any:
    (column,) = [c for c in load_catalogue().get(object_name).columns if c.name == column_name]
    return find(body, column.places)


@pytest.mark.parametrize(
    ("object_name", "column", "old", "new", "value"),
    [
        ("subscription", "current_period_end", {"current_period_end": 300}, {"items": ITEMS}, 300),
        (
            "subscription",
            "current_period_start",
            {"current_period_start": 20, "items": {"object": "list", "data": [{}]}},
            {"items": ITEMS},
            20,
        ),
        (
            "invoice",
            "subscription_id",
            {"subscription": "sub_1"},
            {"parent": {"subscription_details": {"subscription": "sub_1"}}},
            "sub_1",
        ),
        ("invoice", "charge_id", {"charge": "ch_new"}, {"payments": PAYMENTS}, "ch_new"),
        (
            "invoice",
            "payment_intent_id",
            {"payment_intent": "pi_new"},
            {"payments": PAYMENTS},
            "pi_new",
        ),
        (
            "invoice",
            "quote_id",
            {"quote": "qt_1"},
            {"parent": {"quote_details": {"quote": "qt_1"}}},
            "qt_1",
        ),
        ("invoiceitem", "price_id", {"price": "price_1"}, PRICE, "price_1"),
        (
            "invoiceitem",
            "subscription_id",
            {"subscription": "sub_1"},
            {"parent": {"subscription_details": {"subscription": "sub_1"}}},
            "sub_1",
        ),
        (
            "invoiceitem",
            "subscription_item_id",
            {"subscription_item": "si_1"},
            {"parent": {"subscription_details": {"subscription_item": "si_1"}}},
            "si_1",
        ),
        (
            "invoiceitem",
            "unit_amount_decimal",
            {"unit_amount_decimal": "1.5"},
            {"pricing": {"unit_amount_decimal": "1.5"}},
            "1.5",
        ),
        ("line_item", "price_id", {"price": {"id": "price_1"}}, PRICE, "price_1"),
        (
            "line_item",
            "proration",
            {"proration": False},
            {
                "parent": {
                    "invoice_item_details": None,
                    "subscription_item_details": {"proration": False},
                }
            },
            False,
        ),
        (
            "line_item",
            "invoice_item_id",
            {"invoice_item": "ii_1"},
            {"parent": {"invoice_item_details": {"invoice_item": "ii_1"}}},
            "ii_1",
        ),
        (
            "line_item",
            "subscription_item_id",
            {"subscription_item": "si_1"},
            {"parent": {"subscription_item_details": {"subscription_item": "si_1"}}},
            "si_1",
        ),
        (
            "credit_note",
            "refund_id",
            {"refund": "re_1"},
            {"refunds": [{"refund": "re_1"}]},
            "re_1",
        ),
        (
            "discount",
            "coupon_id",
            {"coupon": {"id": "half"}},
            {"source": {"coupon": "half"}},
            "half",
        ),
        (
            "promotion_code",
            "coupon_id",
            {"coupon": {"id": "half"}},
            {"promotion": {"coupon": {"id": "half"}}},
            "half",
        ),
    ],
)
def test_a_moved_column_is_filled_from_the_old_and_the_new_place(
    object_name: str, column: str, old: dict[str, Any], new: dict[str, Any], value: Any
) -> None:
    found = [column_value(object_name, column, body) for body in (old, new)]

    assert [f["id"] if isinstance(f, dict) else f for f in found] == [value, value]


def test_every_moved_column_is_a_case_above() -> None:
    moved = {
        (found.name, column.name)
        for found in load_catalogue()
        for column in found.columns
        if column.places
    }
    (mark,) = test_a_moved_column_is_filled_from_the_old_and_the_new_place.pytestmark

    assert {(case[0], case[1]) for case in mark.args[1]} == moved


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": None},
        {"items": []},
        {"items": "si_1"},
        {"items": {"object": "list", "data": []}},
        {"items": {"object": "list", "data": [None, "x", {}]}},
        {"items": {"object": "list"}},
        {"items": [{"current_period_end": None}]},
    ],
)
def test_a_place_that_is_not_there_is_no_value(body: dict[str, Any]) -> None:
    assert column_value("subscription", "current_period_end", body) is None


def test_the_first_payment_counts_where_none_is_the_default_one() -> None:
    payments = {"data": [{"payment": {"charge": "ch_1"}}, {"payment": {"charge": "ch_2"}}]}

    place = Place(path=("payments", "payment", "charge"), flagged="is_default")

    assert place.find({"payments": {"object": "list", **payments}}) == "ch_1"


def test_a_null_in_the_newer_place_gives_way_to_the_older_one() -> None:
    body = {"parent": {"subscription_details": {"subscription": None}}, "subscription": "sub_1"}

    assert column_value("invoice", "subscription_id", body) == "sub_1"
