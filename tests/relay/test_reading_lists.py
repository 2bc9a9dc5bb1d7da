"""What is read of the lists in a body, and what each claims."""

from typing import Any

import pytest

from producer.children import ChildReader
from producer.kept import Kept
from producer.preparing import Preparer
from producer.reading import InboxRecord
from producer.shown_lists import Extent, ShownList
from schemas.columns import PARENT_ID
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from tests.relay.inbox_writer import Sent, event
from tests.relay.stripe_server import listed

PREPARER = Preparer(catalogue=load_catalogue())


def shown(sent: Sent) -> tuple[ShownList, ...]:
    """The lists of an event's object."""
    record = InboxRecord(
        key=sent.key.encode(),
        value=sent.value,
        headers=sent.envelope.headers(),
        partition=0,
        offset=0,
    )
    candidate = PREPARER.candidate(record)
    assert candidate is not None
    return candidate.lists


def subscription(items: Any, **fields: Any) -> Sent:
    return event("evt_1", "sub_1", second=1, items=items, **fields)


def columns(one: ShownList, place: int = 0) -> dict[str, Any]:
    child = one.owned[place]
    return PREPARER.tools(child.object_name).half_codec.decode_one(child.half)


ITEM = {"id": "si_1", "object": "subscription_item", "quantity": 2}


def test_a_whole_list_shows_its_elements_under_their_own_keys() -> None:
    (one,) = shown(subscription(listed([ITEM]), account="acct_1"))
    assert (one.extent, one.others) == (Extent.WHOLE, ())
    assert [(child.name, child.key) for child in one.owned] == [
        ("subscription_item:acct_1/si_1", "acct_1/si_1")
    ]
    assert columns(one)["quantity"] == 2


@pytest.mark.parametrize(
    ("page", "extent", "count"),
    [
        (listed([ITEM], has_more=True), Extent.BEGINNING, 1),
        ({"object": "list", "data": [ITEM]}, Extent.UNTOLD, 1),
        (listed([ITEM, {"object": "subscription_item"}]), Extent.UNTOLD, 1),
        (listed([ITEM, {"id": "x", "object": "other"}]), Extent.UNTOLD, 1),
        (listed([ITEM, "si_2"]), Extent.UNTOLD, 1),  # type: ignore[list-item]
        (listed([]), Extent.WHOLE, 0),
    ],
)
def test_only_a_list_that_says_it_is_whole_and_can_be_read_is_whole(
    page: dict[str, Any], extent: Extent, count: int
) -> None:
    (one,) = shown(subscription(page))
    assert (one.extent, len(one.owned)) == (extent, count)


@pytest.mark.parametrize("page", [None, "items", [ITEM], {"object": "list"}])
def test_what_is_no_list_of_stripes_claims_nothing(page: object) -> None:
    assert shown(subscription(page)) == ()


def test_a_child_of_an_old_body_that_names_no_parent_gets_its_parents_id() -> None:
    lines = [
        {"id": "il_1", "object": "line_item"},
        {"id": "il_2", "object": "line_item", "invoice": "in_1"},
    ]
    told = event("evt_1", "in_1", second=1, object_name="invoice", lines=listed(lines))
    (one,) = shown(told)
    assert [columns(one, place)["invoice_id"] for place in (0, 1)] == ["in_1", "in_1"]


def test_a_child_that_says_nothing_of_its_parent_has_the_column_parent_id() -> None:
    lines = [{"id": "cnli_1", "object": "credit_note_line_item"}]
    told = event("evt_1", "cn_1", second=1, object_name="credit_note", lines=listed(lines))
    assert columns(shown(told)[0])[PARENT_ID] == "cn_1"


def test_a_list_of_several_types_tells_each_element_by_itself() -> None:
    sources = [
        {"id": "card_1", "object": "card"},
        {"id": "ba_1", "object": "bank_account"},
    ]
    told = event("evt_1", "cus_1", second=1, object_name="customer", sources=listed(sources))
    (one,) = shown(told)
    assert [child.name for child in one.others] == ["card:card_1", "bank_account:ba_1"]


@pytest.mark.parametrize("odd", [None, 7, {}, [], "", "Drop Table"])
def test_an_element_that_names_no_object_type_is_none_and_its_neighbours_are_read(
    odd: object,
) -> None:
    sources: list[dict[str, Any]] = [
        {"id": "card_1", "object": "card"},
        {"id": "odd_1", "object": odd},
    ]
    told = event("evt_1", "cus_1", second=1, object_name="customer", sources=listed(sources))
    (one,) = shown(told)
    assert [child.name for child in one.others] == ["card:card_1"]
    assert one.extent is Extent.UNTOLD


def test_the_same_list_is_read_once_and_another_ones_again() -> None:
    first, again, other = (
        shown(subscription(listed([{**ITEM, "quantity": quantity}])))[0] for quantity in (5, 5, 6)
    )
    assert first is again
    assert first is not other


def test_what_is_not_in_use_is_let_go() -> None:
    kept = Kept[str, int](bytes_max=1_000)
    kept.keep("used", -1, 100)
    for number in range(40):
        kept.keep(str(number), number, 100)
        assert kept.get("used") == -1
    assert kept.get("0") is None
    assert kept.get("39") == 39


def test_every_owned_child_says_whose_it_is() -> None:
    catalogue = load_catalogue()
    for parent, ways in load_ways().items():
        for child in ways.children:
            if child.owned:
                sources = {column.source for column in catalogue.get(child.object_name).columns}
                names = {column.name for column in catalogue.get(child.object_name).columns}
                assert PARENT_ID in names or parent.rpartition(".")[2] in sources, child


def test_the_lists_of_every_type_are_columns_of_it() -> None:
    reader: ChildReader = PREPARER.children
    for name, ways in load_ways().items():
        fields = reader.lists_of(name).fields
        assert {field.field for field in fields} == {child.field for child in ways.children}
