"""A value that Stripe moved gives the same columns from its old place and from its new one.

The cases are the moves themselves, so that there is none without a test.
"""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.normalise import Normaliser
from schemas.conversions import Conversion
from schemas.meta import EXTRA
from schemas.moved import Moved, load_moves
from schemas.objects import Column, ColumnKind, load_catalogue
from schemas.places import Pick, Place, place_text

OLD_TAXES = [
    {
        "amount": 190,
        "inclusive": True,
        "tax_rate": "txr_1",
        "taxability_reason": "standard_rated",
        "taxable_amount": 1000,
    },
    {
        "amount": 10,
        "inclusive": False,
        "tax_rate": {"id": "txr_2", "object": "tax_rate"},
        "taxability_reason": None,
        "taxable_amount": None,
    },
]
TAXES = [
    {
        "amount": 190,
        "tax_behavior": "inclusive",
        "tax_rate_details": {"tax_rate": "txr_1"},
        "taxability_reason": "standard_rated",
        "taxable_amount": 1000,
        "type": "tax_rate_details",
    },
    {
        "amount": 10,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": "txr_2"},
        "taxability_reason": None,
        "taxable_amount": None,
        "type": "tax_rate_details",
    },
]
TOLD: dict[Conversion, tuple[Any, Any]] = {
    Conversion.ID: ({"id": "x_1", "object": "thing"}, "x_1"),
    Conversion.LISTED: ({"id": "di_1", "object": "discount"}, ["di_1"]),
    Conversion.DIGITS: (1000, "1000"),
    Conversion.TAXES: (OLD_TAXES, TAXES),
    Conversion.TAX: (200, TAXES),
    Conversion.PAID: (True, "paid"),
    Conversion.LINE_TYPE: ("invoiceitem", "invoice_item_details"),
    Conversion.END: ("release", "release"),
}
SAMPLES: dict[ColumnKind, Any] = {
    ColumnKind.STRING: "text",
    ColumnKind.BOOLEAN: True,
    ColumnKind.INTEGER: 7,
    ColumnKind.FLOAT: 1.5,
    ColumnKind.DECIMAL: "12.5",
    ColumnKind.TIMESTAMP: 1_570_000_000,
    ColumnKind.REFERENCE: "x_1",
    ColumnKind.JSON: {"id": "x_1", "name": "n"},
}
CASES = [
    pytest.param(name, move, id=f"{name}.{place_text(move.old)} -> {place_text(move.new)}")
    for name, moves in load_moves().by_type.items()
    for move in moves
]


def columns_of(name: str, field: str) -> list[Column]:
    return [c for c in load_catalogue().get(name).columns if c.source == field]


def told(name: str, move: Moved) -> tuple[Any, Any]:
    """The value as the old and as the new place have it."""
    if move.conversion in TOLD:
        return TOLD[move.conversion]
    flat = [place.field for place in (move.old, move.new) if len(place.path) == 1]
    value = SAMPLES[columns_of(name, flat[0])[0].kind] if flat else "text"
    return value, value


def body(name: str, place: Place, value: Any, **fields: Any) -> dict[str, Any]:
    """A body that has nothing but the value at the place, and these fields."""
    made: dict[str, Any] = {"id": "x_0", "object": name, **fields}
    if place.pick is Pick.NONE:
        place.put(made, value)
        return made
    element: dict[str, Any] = {place.by: 1_570_000_000} if place.by else {}
    Place(path=place.path[1:]).put(element, value)
    made[place.field] = {"object": "list", "data": [element], "has_more": False}
    return made


def row(name: str, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns of each of the bodies, which are read together."""
    normaliser = Normaliser(load_catalogue().get(name))
    columns = normaliser.columns([normaliser.read(json.dumps(b).encode()) for b in bodies])
    return [{name: values[at] for name, values in columns.items()} for at in range(len(bodies))]


@pytest.mark.parametrize(("name", "move"), CASES)
def test_a_moved_value_gives_the_same_columns_from_either_place(name: str, move: Moved) -> None:
    old_value, new_value = told(name, move)
    before = body(name, move.old, old_value, **dict([move.when] if move.when else []))
    after = body(name, move.new, new_value)
    if move.typed or move.when:
        after[move.new.field]["type"] = move.new.path[1]

    old, new = row(name, before, after)

    compared = {
        column.name
        for column in columns_of(name, move.new.field)
        if move.newer is not None and move.new.pick is Pick.NONE
        # An id does not show the object that it is of.
        if column.kind is not ColumnKind.JSON
        or (name, move.old.field) != ("subscription_item", "plan")
    } | {
        column.name
        for column in columns_of(name, move.old.field)
        if move.older is not None
        if column.kind is not ColumnKind.JSON
        or (move.conversion is Conversion.SAME and len(move.old.path) == 1)
    }
    assert {c: old[c] for c in compared} == {c: new[c] for c in compared}
    assert compared, "a move that fills no column is none"
    assert None not in {old[c] for c in compared}
    assert (old[EXTRA], new[EXTRA]) == (None, None)


def test_every_conversion_is_used_and_has_a_case() -> None:
    used = {move.conversion for moves in load_moves().by_type.values() for move in moves}

    assert used == set(Conversion)
    assert TOLD.keys() == used - {Conversion.SAME}


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        # The newest place goes first.
        (
            "invoice",
            {
                "subscription": "sub_old",
                "parent": {"subscription_details": {"subscription": "sub_new"}},
            },
            {"subscription_id": "sub_new"},
        ),
        # But a null gives way.
        (
            "invoice",
            {"subscription": "sub_1", "parent": {"subscription_details": {"subscription": None}}},
            {"subscription_id": "sub_1"},
        ),
        # What can only be computed goes last.
        ("invoice", {"paid": False, "status": "paid"}, {"paid": False, "status": "paid"}),
        ("invoice", {"status": "open"}, {"paid": False}),
        ("invoice", {"total_taxes": []}, {"tax": None, "total_taxes": "[]"}),
        # A price is what old bodies call a plan, and has the first word.
        ("line_item", {"plan": {"id": "plan_1"}}, {"price_id": "plan_1", "plan_id": "plan_1"}),
        (
            "line_item",
            {"plan": {"id": "plan_1"}, "price": {"id": "price_1", "product": "prod_1"}},
            {
                "price_id": "price_1",
                "plan_id": "plan_1",
                "pricing": '{"price_details":{"price":"price_1","product":"prod_1"},'
                '"type":"price_details"}',
            },
        ),
        ("subscription_item", {"plan": {"id": "plan_1"}}, {"price_id": "plan_1"}),
        (
            "subscription_item",
            {"plan": {"id": "plan_1"}, "price": {"id": "price_1"}},
            {"price_id": "price_1", "plan_id": "plan_1"},
        ),
        # Both kinds of lines may come of an invoice item, and name their subscription.
        (
            "line_item",
            {
                "invoice_item": "ii_1",
                "subscription": "sub_1",
                "subscription_item": "si_1",
                "type": "subscription",
            },
            {
                "invoice_item_id": "ii_1",
                "parent": '{"subscription_item_details":{"invoice_item":"ii_1",'
                '"subscription":"sub_1","subscription_item":"si_1"},'
                '"type":"subscription_item_details"}',
            },
        ),
        (
            "line_item",
            {"parent": {"subscription_item_details": {"invoice_item": "ii_1"}}},
            {"invoice_item_id": "ii_1"},
        ),
        # Ids of lines were not unique once.
        ("line_item", {"id": "sli_1", "unique_id": "il_1"}, {"id": "il_1", "unique_id": "il_1"}),
        ("line_item", {"id": "il_1"}, {"id": "il_1", "unique_id": "il_1"}),
        # A field that was renamed twice.
        (
            "checkout.session",
            {"shipping": {"name": "n"}},
            {
                "shipping_details": '{"name":"n"}',
                "collected_information": '{"shipping_details":{"name":"n"}}',
            },
        ),
        # An invoice of a subscription that a quote began.
        (
            "invoice",
            {"subscription": "sub_1", "quote": "qt_1", "subscription_proration_date": 5},
            {
                "parent": '{"quote_details":{"quote":"qt_1"},"subscription_details":'
                '{"subscription":"sub_1","subscription_proration_date":5},'
                '"type":"subscription_details"}'
            },
        ),
        # What a schedule does at its end has another name for nothing.
        (
            "subscription_schedule",
            {"renewal_behavior": "none"},
            {"end_behavior": "cancel", "renewal_behavior": "none"},
        ),
        # Several discounts, or items, are not the one that old bodies knew.
        ("subscription", {"discounts": ["di_1", "di_2"]}, {"discount_id": None}),
        (
            "subscription",
            {"items": {"object": "list", "data": [{"quantity": 1}, {"quantity": 2}]}},
            {"quantity": None},
        ),
        # The period that ends first is the one that old bodies told.
        (
            "subscription",
            {
                "items": {
                    "object": "list",
                    "data": [
                        {"current_period_start": 10, "current_period_end": 400},
                        {"current_period_start": 20, "current_period_end": 300},
                    ],
                }
            },
            {"current_period_start": 20_000_000, "current_period_end": 300_000_000},
        ),
        # Digits with a fraction were no whole number in old bodies either.
        (
            "invoiceitem",
            {"pricing": {"unit_amount_decimal": "0.5"}},
            {"unit_amount": None, "unit_amount_decimal": "0.5"},
        ),
        (
            "invoiceitem",
            {"pricing": {"unit_amount_decimal": "-12.00"}},
            {"unit_amount": -12, "unit_amount_decimal": "-12.00"},
        ),
        # What Stripe shows whole is as it came; nothing is made up.
        ("invoice", {"parent": None}, {"parent": None, "subscription_id": None}),
        ("subscription", {}, {"plan": None, "quantity": None, "discounts": None}),
    ],
)
def test_what_counts_where_places_meet(
    name: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    (found,) = row(name, {"object": name, "id": "x_0"} | fields)

    assert {column: found[column] for column in expected} == expected


def test_bodies_of_many_versions_are_read_together() -> None:
    bodies: list[dict[str, Any]] = [
        {"id": "in_1", "object": "invoice", "subscription": "sub_1", "date": 10, "tax": 5},
        {
            "id": "in_2",
            "object": "invoice",
            "parent": {"subscription_details": {"subscription": "sub_2"}},
            "created": 20,
            "total_taxes": TAXES,
        },
        {"id": "in_3", "object": "invoice"},
    ]

    found = row("invoice", *bodies)

    assert found == [row("invoice", body)[0] for body in bodies]
    assert [(one["subscription_id"], one["created"], one["tax"]) for one in found] == [
        ("sub_1", 10_000_000, 5),
        ("sub_2", 20_000_000, 200),
        (None, None, None),
    ]


@st.composite
def two_shapes(draw: st.DrawFn, name: str) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """An object of a type in its oldest and in its newest shape, and the fields it is told by."""
    kinds = sorted({move.when for move in load_moves().by_type[name] if move.when})
    kind = draw(st.sampled_from(kinds)) if kinds else None
    moves = [move for move in load_moves().by_type[name] if move.when in (None, kind)]
    chosen = [move for move in moves if draw(st.booleans())]
    old: dict[str, Any] = {"id": "x_0", "object": name}
    new, fields = dict(old), set[str]()
    if kind is not None:
        chosen += [move for move in moves if move.old.path == (kind[0],) and move not in chosen]
    for move in sorted(chosen, key=lambda move: len(move.old.path)):
        value = stands_at(name, move.new, moves)
        if kind is not None and move.old.path == (kind[0],):
            value = move.newer(kind[1]) if move.newer else None
        put_at(new, move.new, value)
        put_at(old, move.old, told(name, move)[0] if move.newer is None else older_of(move, value))
        if move.typed:
            new[move.new.field].setdefault("type", move.new.path[1])
        fields |= {move.old.field} if move.older else set()
        fields |= {move.new.field} if move.newer and move.new.pick is Pick.NONE else set()
    return old, new, fields


def put_at(body: dict[str, Any], place: Place, value: Any) -> None:
    """Make the value stand at a place; a list on the way has one element."""
    if place.pick is Pick.NONE:
        place.put(body, value)
        return
    page = {"object": "list", "data": [{}], "has_more": False}
    element = body.setdefault(place.field, page)["data"][0]
    Place(path=place.path[1:]).put(element, value)
    if place.by:
        element.setdefault(place.by, 1_570_000_000)


def stands_at(name: str, place: Place, moves: list[Moved]) -> Any:
    """The value that the newest shape has at a place; all moves to it must agree on it."""
    (first, *_) = [move for move in moves if move.new == place]
    return told(name, first)[1]


def older_of(move: Moved, value: Any) -> Any:
    if move.conversion is Conversion.ID:
        return {"id": value, "object": "thing"}
    return move.conversion.older(value)


@settings(deadline=None, max_examples=500)
@given(data=st.data(), name=st.sampled_from(sorted(load_moves().by_type)))
def test_a_whole_object_has_the_same_flat_columns_in_its_oldest_and_in_its_newest_shape(
    data: st.DataObject, name: str
) -> None:
    before, after, fields = data.draw(two_shapes(name))

    old, new = row(name, before, after)

    compared = {
        column.name
        for field in fields
        for column in columns_of(name, field)
        if column.kind is not ColumnKind.JSON
    }
    assert {c: old[c] for c in compared} == {c: new[c] for c in compared}
    assert (old[EXTRA], new[EXTRA]) == (None, None)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(("", "paid", "1.5", "x_1")),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(("id", "object", "data", "type", "amount", "subscription_details")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(load_moves().by_type)))
def test_whatever_stands_at_the_places_nothing_fails_and_nothing_is_lost(
    data: st.DataObject, name: str
) -> None:
    places = [p for move in load_moves().by_type[name] for p in (move.old, move.new)]
    fields = st.sampled_from(sorted({place.field for place in places} - {"id"}))
    odd = data.draw(st.dictionaries(fields, ANY_JSON, max_size=4))

    (found,) = row(name, {"id": "x_0", "object": name, **odd})

    extra = json.loads(found[EXTRA]) if found[EXTRA] else {}
    lost = {
        field: value
        for field, value in odd.items()
        if value is not None and field not in extra
        if all(found[column.name] is None for column in columns_of(name, field))
        if field not in LISTS_APART
    }
    assert lost == {}


LISTS_APART = {"payments", "line_items"}
"""Their elements have records of their own."""
