"""Every type of object: made, listed and retrieved by the catalogue's addresses, and told of."""

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from schemas.columns import PARENT_SOURCE
from schemas.endpoints import ListEndpoint, load_ways
from schemas.objects import load_catalogue
from schemas.shapes import Fields, Shape, load_shapes
from simulator.generic.event_types import event_type
from simulator.generic.relations import address, relations
from simulator.server import Simulator
from simulator.simulation import Options
from tests.official_examples import official_examples
from tests.simulator.conftest import API_KEY
from tests.simulator.test_shapes import differences

NAMES = load_catalogue().names()
KEYS = {found.name: found.key_rule.fields for found in load_catalogue() if found.key_rule}
NEVER_SENT = {
    "account.capabilities.card_payments is missing",  # it asked for none
    "account.capabilities.transfers is missing",
    "invoice.subscription is missing",  # moved with 2025-03-31.basil
}
LISTS = [listed for ways in load_ways().values() for listed in ways.lists]
ADDRESSES = [(name, path) for name, ways in load_ways().items() for path in ways.retrieve]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """One for all types: each test makes what it looks for."""
    with Simulator(Options(start_seconds=1_800_000_000)) as running:
        yield running


@pytest.fixture(scope="module")
def http(simulator: Simulator) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        yield client


def get(http: httpx.Client, path: str, **parameters: Any) -> dict[str, Any]:
    address, _, query = path.partition("?")
    asked = dict(httpx.QueryParams(query)) | parameters
    answer = http.get(address, params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def make(simulator: Simulator, name: str, **fields: Any) -> str:
    """One silently made object; of a type that each account has one of, a new one."""
    if not KEYS[name]:
        with contextlib.suppress(httpx.HTTPStatusError):
            simulator.remove(name, name, events=False)
    (identifier,) = simulator.make(name, fields=fields, events=False)
    return identifier


def whole(
    simulator: Simulator, name: str, identifier: str, *, account: str = ""
) -> dict[str, Any]:
    """An object as it is stored."""
    return simulator.change(name, identifier, {}, events=False, account=account)


def of_types(fields: Fields) -> set[str]:
    """Fields that an object has only while its type says so, at any depth, and free maps."""
    found = set()
    for name, one in fields.items():
        found |= of_types(one.fields)
        found |= {name} if one.of_type or one.shape in (Shape.MAP, Shape.EXPANDABLE) else set()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_made_object_has_every_field_of_stripes_example(simulator: Simulator, name: str) -> None:
    example = official_examples().get(name)
    if example is None:
        pytest.skip(f"lacks an example of {name}: Stripe's file has none")
    identifier = make(simulator, name)
    body = whole(simulator, name, identifier)

    expanded = {child.field for child in load_ways()[name].children if child.expanded_only}
    free = of_types(load_shapes()[name])
    lacking = [
        difference
        for difference in differences(body, example, at=name)
        if not free & set(difference.split()[0].split(".")) and difference not in NEVER_SENT
    ]

    assert [one for one in lacking if one.split()[0].split(".")[-1] not in expanded] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_made_object_has_no_field_that_its_schema_lacks(simulator: Simulator, name: str) -> None:
    identifier = make(simulator, name)
    body = whole(simulator, name, identifier)

    known = {column.source for column in load_catalogue().get(name).columns}

    assert set(body) - known - {"id"} - set(load_shapes()[name]) == set()
    assert body["object"] == name


def family(simulator: Simulator, listed: ListEndpoint) -> tuple[str, dict[str, Any]]:
    """A new parent's id, and the fields of its children."""
    if not listed.parent:
        return "", {}
    fields = {listed.only_parents_with: "clock_1"} if listed.only_parents_with else {}
    parent = make(simulator, listed.parent, **fields)
    return parent, {relations()[listed.parent, listed.object_name].field: parent}


@pytest.mark.parametrize("listed", LISTS, ids=lambda one: f"{one.object_name} {one.path}")
def test_every_list_shows_what_was_made_page_by_page(
    simulator: Simulator, http: httpx.Client, listed: ListEndpoint
) -> None:
    parent, fields = family(simulator, listed)
    made = simulator.make(listed.object_name, count=3, fields=fields, events=False)
    path = address(listed.path, {listed.parent_field: parent})
    asked: dict[str, Any] = dict(listed.passes[0])
    if parent and not listed.parent_in_path:
        asked[listed.parent_field] = parent

    if not listed.paged:
        assert {body["id"] for body in get(http, path, **asked)["data"]} >= set(made)
        return
    first = get(http, path, **asked, limit=2)
    second = get(http, path, **asked, limit=2, starting_after=made[1])

    assert [body["id"] for body in first["data"]] == made[:0:-1]
    assert second["data"][0]["id"] == made[0]
    assert first["has_more"]
    assert first["url"] == path


@pytest.mark.parametrize(("name", "path"), ADDRESSES)
def test_every_address_shows_its_object(
    simulator: Simulator, http: httpx.Client, name: str, path: str
) -> None:
    fields: dict[str, Any] = {}
    for relation in relations().values():
        path = path if relation.shown else path.replace(PARENT_SOURCE, relation.field)
        if relation.child == name and f"{{{relation.field}}}" in path:
            fields[relation.field] = make(simulator, relation.parent)
    identifier = make(simulator, name, **fields)
    home = fields.get("account", "") if "/accounts/{account}/" in path else ""
    body = {**whole(simulator, name, identifier, account=home), **fields}

    found = get(http, address(path, body))

    assert found["object"] == name
    assert found.get("id") == body.get("id") or path == "/v1/account"


@pytest.mark.parametrize("name", NAMES)
def test_a_made_changed_and_deleted_object_says_so_where_stripe_does(
    simulator: Simulator, http: httpx.Client, name: str
) -> None:
    before = {event["id"] for event in get(http, "/v1/events", limit=100)["data"]}
    if not KEYS[name]:
        simulator.remove(name, make(simulator, name), events=False)
    (identifier,) = simulator.make(name)
    body = simulator.change(name, identifier, {"metadata": {"changed": "yes"}})
    simulator.remove(name, identifier)

    events = get(http, "/v1/events", limit=100)["data"]
    said = [event["type"] for event in reversed(events) if event["id"] not in before]

    expected = [
        event_type(name, "created", body),
        event_type(name, "updated", body),
        event_type(name, "deleted", body),
    ]
    assert said == [kind for kind in expected if kind is not None]
