"""The ways to each object are what the pinned package gives, and a person saw what it hides."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from schemas import generate
from schemas.columns import Column
from schemas.endpoints import ENDPOINTS_FILE, ListEndpoint, load_ways
from schemas.generate_annotations import AnnotatedField, AnnotatedObject
from schemas.generate_endpoints import NotReviewed, read_reviewed_ways, ways_by_type
from schemas.generate_services import Endpoint, endpoints
from schemas.objects import load_catalogue
from schemas.shapes import Shape

WAYS = load_ways()
REVIEWED = read_reviewed_ways()
PACKAGE_LISTS = {found.path: found for found in endpoints() if found.is_list}
ALL_LISTS = [found for ways in WAYS.values() for found in ways.lists]
HIDES = re.compile(
    r"will not include|your active|have not been canceled|types except|set to true\. The|"
    r"Defaults to `owner|'all'"
)
"""What the package says where a list leaves rows out."""
LEAVES_OUT = {
    "/v1/customers",
    "/v1/payment_methods",
    "/v1/prices",
    "/v1/quotes",
    "/v1/reviews",
    "/v1/subscription_schedules",
    "/v1/subscriptions",
    "/v1/tax/registrations",
    "/v1/tax_ids",
}


def lists_of(object_name: str) -> Iterator[tuple[str, str, tuple[dict[str, str], ...]]]:
    for found in WAYS[object_name].lists:
        yield found.path, found.parent, tuple(map(dict, found.passes))


def test_the_file_is_what_the_pinned_package_gives() -> None:
    given = generate.generated_endpoints()
    assert given == ENDPOINTS_FILE.read_bytes(), "run `make schemas` and review the difference"


def test_every_type_of_the_catalogue_has_its_ways() -> None:
    assert set(WAYS) == set(load_catalogue().names())


def test_a_type_is_listed_or_retrieved_or_there_is_a_reason() -> None:
    for name, ways in WAYS.items():
        assert bool(ways.lists or ways.retrieve) != bool(ways.unreachable), name


def test_every_list_of_the_package_is_read_or_there_is_a_reason() -> None:
    inside = {child.path for ways in WAYS.values() for child in ways.children if child.owned}
    shown = {shape(found.path) for found in ALL_LISTS} | {shape(path) for path in inside}

    assert len(PACKAGE_LISTS) == 120
    assert {shape(path) for path in PACKAGE_LISTS.keys() - REVIEWED.unread.keys()} <= shown
    assert REVIEWED.unread.keys() <= PACKAGE_LISTS.keys()


def test_every_list_asks_for_what_the_package_asks_for() -> None:
    for found in ALL_LISTS:
        request = PACKAGE_LISTS[found.path]
        assert found.object_name in request.object_names
        assert found.has_created == request.takes_window
        assert found.paged == ("limit" in request.parameters)
        for reading in found.passes:
            taken = {name.split("[")[0] for name in reading} | {found.parent_field}
            assert set(request.required) <= taken, found.path
            known = {*request.parameters, *re.findall(r"{(\w+)}", found.path), ""}
            assert taken <= known, found.path


def test_a_list_that_leaves_rows_out_is_read_so_that_they_are_seen() -> None:
    hides = {path for path, found in PACKAGE_LISTS.items() if HIDES.search(found.words)}
    reviewed = REVIEWED.passes.keys() | {more["path"] for more in REVIEWED.more_lists}
    names = {name for path in hides for name in PACKAGE_LISTS[path].object_names}

    assert hides == LEAVES_OUT
    assert all(
        path in reviewed or set(PACKAGE_LISTS[path].object_names) <= REVIEWED.hidden.keys()
        for path in hides
    )
    assert names <= WAYS.keys()


def test_canceled_subscriptions_and_archived_prices_are_listed() -> None:
    assert ("/v1/subscriptions", "", ({"status": "all"},)) in lists_of("subscription")
    assert list(lists_of("price")) == [
        ("/v1/prices", "", ({"active": "true"}, {"active": "false"}))
    ]
    assert ("/v1/payment_methods", "", ({}, {"type": "custom"})) in lists_of("payment_method")


def test_what_belongs_to_a_test_clock_is_listed_for_the_clock() -> None:
    listed = {
        (found.object_name, found.parent_field)
        for found in ALL_LISTS
        if found.parent == "test_helpers.test_clock" or found.only_parents_with == "test_clock"
    }
    assert listed == {
        ("customer", "test_clock"),
        ("quote", "test_clock"),
        ("subscription", "test_clock"),
        ("subscription_schedule", "customer"),
    }


def test_the_list_of_a_customers_sources_is_read_type_by_type() -> None:
    path = "/v1/customers/{customer}/sources"
    listed = {
        found.object_name: [dict(reading) for reading in found.passes]
        for found in ALL_LISTS
        if found.path == path
    }
    assert listed == {name: [{"object": name}] for name in ("bank_account", "card", "source")}


def test_every_parent_is_listed_itself_and_none_is_its_own_ancestor() -> None:
    for found in ALL_LISTS:
        above: list[ListEndpoint] = [found]
        while above[-1].parent:
            assert found.object_name not in {step.parent for step in above}
            above.append(WAYS[above[-1].parent].lists[0])
        assert above[-1].parent == "", found.path


def test_a_parents_id_goes_where_the_list_takes_it() -> None:
    for found in ALL_LISTS:
        assert found.parent_in_path == ("{" in found.path)
        assert bool(found.parent) == bool(found.parent_field)
        if found.parent_in_path:
            assert found.path.count(f"{{{found.parent_field}}}") == found.path.count("{") == 1


def test_what_only_its_parent_shows_is_in_no_list_and_is_asked_for_with_the_parent() -> None:
    owned = {c.object_name for ways in WAYS.values() for c in ways.children if c.owned}

    assert owned == {
        "credit_note_line_item",
        "financial_connections.account_owner",
        "item",
        "line_item",
        "subscription_item",
        "tax.calculation_line_item",
        "tax.transaction_line_item",
    }
    assert all(WAYS[name].lists == () for name in owned)
    assert WAYS["quote"].expand == ("line_items",)
    assert all(found.expand == WAYS[found.object_name].expand for found in ALL_LISTS)


def test_every_list_in_an_object_has_its_children(annotated: dict[str, AnnotatedObject]) -> None:
    places = {
        (name, field.name)
        for name in WAYS
        if name in annotated
        for field in annotated[name].fields
        if field.shape is Shape.PAGE
    }

    assert {(name, child.field) for name in WAYS for child in WAYS[name].children} == places
    assert {f"{name}.{field}" for name, field in places} == REVIEWED.embedded.keys()


def test_a_childs_whole_list_is_at_an_address_of_the_package(
    annotated: dict[str, AnnotatedObject],
) -> None:
    known = {shape(path) for path in PACKAGE_LISTS}
    for name, ways in WAYS.items():
        for child in ways.children:
            address, _, query = child.path.partition("?")
            fields = re.findall(r"{(\w+)}", child.path)
            assert all(annotated[name].field(field) is not None for field in fields)
            if child.path:
                assert shape(address) in known, child.path
                assert len(fields) == 1
            if query:
                assert query.partition("=")[0] in PACKAGE_LISTS[address].parameters


def test_every_reviewed_type_is_of_the_catalogue() -> None:
    lists = (REVIEWED.hidden, REVIEWED.untold, REVIEWED.addresses, REVIEWED.unreachable)
    assert {name for found in lists for name in found} <= WAYS.keys()
    assert REVIEWED.parents.keys() | REVIEWED.passes.keys() <= PACKAGE_LISTS.keys()


def test_a_writable_column_is_one_of_the_types_own() -> None:
    for name, ways in WAYS.items():
        columns = [column.name for column in load_catalogue().get(name).columns]
        assert list(ways.writable) == [column for column in columns if column in ways.writable]
    assert len(WAYS["subscription"].writable) == 25
    assert "default_payment_method_id" in WAYS["subscription"].writable
    assert "status" not in WAYS["subscription"].writable


def test_of_an_embedded_object_the_column_is_writable_that_an_update_takes() -> None:
    assert {"price_id", "plan_id"} <= set(WAYS["subscription_item"].writable)
    assert "individual" in WAYS["account"].writable
    assert {"price", "plan"}.isdisjoint(WAYS["subscription_item"].writable)


def test_the_only_object_of_its_type_has_an_address_without_an_id() -> None:
    single = {
        name for name, ways in WAYS.items() if any("{" not in path for path in ways.retrieve)
    }
    assert single == {"account", "balance", "balance_settings", "tax.settings"}


def test_no_two_lists_of_a_type_are_the_same() -> None:
    readings = Counter(
        (found.object_name, found.path, found.parent, tuple(reading.items()))
        for found in ALL_LISTS
        for reading in found.passes
    )
    assert set(readings.values()) == {1}


def told(event_word: str) -> set[str]:
    """The types of which an event with this last word tells."""
    return {
        name
        for event in load_catalogue().event_types()
        if event.rpartition(".")[2] == event_word
        for name in load_catalogue().event_objects(event)
    }


@pytest.mark.parametrize(
    ("method", "event_word", "told_by_another"),
    [
        # A charge is told by its outcome, a method by its being attached, a refund of a fee by
        # the fee; a 3D Secure authentication begins with what it requires.
        (
            "create",
            "created",
            {"charge", "fee_refund", "payment_method", "three_d_secure.authentication"},
        ),
        ("update", "updated", set()),
        ("delete", "deleted", set()),
    ],
)
def test_what_a_request_does_and_no_event_tells_is_among_the_untold(
    method: str, event_word: str, told_by_another: set[str]
) -> None:
    done = {
        name
        for found in endpoints()
        if found.method == method and not found.path.startswith("/v1/test_helpers/treasury/")
        for name in found.object_names
        if load_catalogue().get(name).event_types
    }
    assert {name for name in done - told(event_word) if WAYS[name].events_complete} == (
        told_by_another
    )


def test_a_type_without_events_is_told_by_none_unless_its_parent_tells() -> None:
    told_by_parents = set()
    for name, ways in WAYS.items():
        if not load_catalogue().get(name).event_types:
            owned = any(
                name == c.object_name for w in WAYS.values() for c in w.children if c.owned
            )
            if not owned and ways.untold != "any change":
                told_by_parents.add((name, ways.untold))
            assert bool(ways.untold) != owned, name
    assert told_by_parents == {
        (
            "entitlements.active_entitlement",
            "what the events of its entitlements.active_entitlement_summary do not show",
        ),
        ("file_link", "what the events of its file do not show"),
        ("transfer_reversal", "what the events of its transfer do not show"),
    }


def test_subscriptions_and_invoices_are_told_by_events_and_external_accounts_are_not() -> None:
    complete = {name for name, ways in WAYS.items() if ways.events_complete}
    assert {"customer", "invoice", "product", "price", "subscription"} <= complete
    assert complete.isdisjoint({"balance_transaction", "bank_account", "person"})


THING = AnnotatedObject(
    name="thing",
    fields=(AnnotatedField(name="id", shape=Shape.STRING, nullable=False, words=""),),
)
THINGS = Endpoint(
    method="list",
    verb="get",
    path="/v1/things",
    parameters=("box", "limit"),
    required=(),
    nested=(),
    takes_window=False,
    object_names=("thing",),
    is_list=True,
    words="",
)


def ways_to(thing: AnnotatedObject, *requests: Endpoint) -> Any:
    columns: dict[str, list[Column]] = {"thing": []}
    return ways_by_type({"thing": thing}, columns, {"thing"}, requests, REVIEWED)["thing"]


def test_a_new_list_of_the_package_is_read_without_a_review() -> None:
    assert [found.path for found in ways_to(THING, THINGS).lists] == ["/v1/things"]


def test_a_list_that_needs_what_nobody_reviewed_stops_the_generator() -> None:
    with pytest.raises(NotReviewed, match="box"):
        ways_to(THING, replace(THINGS, required=("box",)))


def test_a_nested_list_of_nobody_known_stops_the_generator() -> None:
    with pytest.raises(NotReviewed, match="whose list"):
        ways_to(THING, replace(THINGS, path="/v1/boxes/{box}/things"))


def test_an_embedded_list_that_nobody_reviewed_stops_the_generator() -> None:
    parts = AnnotatedField(
        name="parts", shape=Shape.PAGE, nullable=False, words="", targets=("thing",)
    )
    with pytest.raises(NotReviewed, match=r"thing\.parts"):
        ways_to(replace(THING, fields=(*THING.fields, parts)), THINGS)


def shape(address: str) -> str:
    return re.sub(r"{\w+}", "{}", address.partition("?")[0])
