"""A place is found where it is, and nothing where it is not."""

from typing import Any

import pytest

from schemas.moved import load_moves
from schemas.places import Pick, Place, place_of, place_text

ENDS = [{"end": 400, "start": 10}, {"end": 300, "start": 20}, {"end": None, "start": None}]


@pytest.mark.parametrize(
    ("text", "body", "value"),
    [
        ("status", {"status": "paid"}, "paid"),
        ("parent.details.id", {"parent": {"details": {"id": "sub_1"}}}, "sub_1"),
        ("items[lowest end].start", {"items": ENDS}, 20),
        ("items[lowest end].start", {"items": {"object": "list", "data": ENDS}}, 20),
        ("items[first].start", {"items": ENDS}, 10),
        ("items[flagged end].start", {"items": ENDS[::-1]}, 20),
        ("items[flagged none].start", {"items": ENDS}, 10),
        ("items[only].start", {"items": ENDS[:1]}, 10),
        ("items[only].start", {"items": ENDS}, None),
        (
            "items[only].start",
            {"items": {"object": "list", "data": ENDS[:1], "has_more": True}},
            None,
        ),
    ],
)
def test_a_value_is_found_at_its_place(text: str, body: dict[str, Any], value: Any) -> None:
    assert place_of(text).find(body) == value


@pytest.mark.parametrize("pick", list(Pick))
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": None},
        {"items": []},
        {"items": 7},
        {"items": "si_1"},
        {"items": {"object": "list", "data": []}},
        {"items": {"object": "list", "data": [None, "x", {}]}},
        {"items": {"object": "list", "data": [None]}},
        {"items": {"object": "list"}},
        {"items": [{"end": None}]},
        {"items": [{"end": "soon"}]},
    ],
)
def test_a_place_that_is_not_there_is_no_value(pick: Pick, body: dict[str, Any]) -> None:
    assert Place(path=("items", "start"), pick=pick, by="end").find(body) is None


def test_what_is_put_at_a_place_is_found_there() -> None:
    body: dict[str, Any] = {"parent": None}
    place = place_of("parent.details.id")

    place.put(body, "sub_1")

    assert body == {"parent": {"details": {"id": "sub_1"}}}
    assert place.find(body) == "sub_1"


def test_a_place_is_written_as_it_is_read() -> None:
    places = {p for moves in load_moves().by_type.values() for m in moves for p in (m.old, m.new)}

    assert len(places) > 50
    assert {place_of(place_text(place)) for place in places} == places
