"""What old bodies tell of all elements together is told to each of them."""

import json
from typing import Any

import pytest

from producer.inheriting import with_inherited
from schemas.moved import load_moves
from schemas.objects import load_catalogue

TOLD = {"current_period_end": 20, "current_period_start": None}


def page(*elements: Any, **more: Any) -> bytes:
    return json.dumps({"object": "list", "data": list(elements), **more}).encode()


def test_each_element_has_what_its_parent_tells_and_it_does_not() -> None:
    raw = page({"id": "si_1"}, {"id": "si_2", "current_period_end": 30}, has_more=False)

    assert json.loads(with_inherited(raw, TOLD)) == {
        "object": "list",
        "data": [
            {"id": "si_1", "current_period_end": 20},
            {"id": "si_2", "current_period_end": 30},
        ],
        "has_more": False,
    }


def test_a_list_of_the_newest_shape_is_left_as_it_is() -> None:
    raw = page({"id": "si_1", "current_period_end": 30})

    assert with_inherited(raw, dict.fromkeys(TOLD)) is raw


@pytest.mark.parametrize("raw", [b"{", b"7", b'"si_1"', b"[]", b'{"data": 7}', b"\xff"])
def test_what_is_no_list_is_left_as_it_is(raw: bytes) -> None:
    assert with_inherited(raw, TOLD) == raw


def test_what_is_no_object_is_left_as_it_is() -> None:
    assert json.loads(with_inherited(page("si_1", None), TOLD))["data"] == ["si_1", None]


def test_both_the_parent_and_the_elements_have_a_column_for_it() -> None:
    inherited = load_moves().inherited
    columns = {
        name: {column.source for column in load_catalogue().get(name).columns}
        for name in ("subscription", "subscription_item")
    }

    assert inherited.keys() == {"subscription"}
    assert set(inherited["subscription"]["items"]) <= columns["subscription"]
    assert set(inherited["subscription"]["items"]) <= columns["subscription_item"]
