"""Big accounts: many objects from one template, as if each had been made by itself."""

from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import StripeClient

from simulator.exchange import pretty
from simulator.listing import Listed
from simulator.server import Simulator
from simulator.state import Collection
from simulator.stock import CREATED, IDENTIFIER, NUMBER, Stock, Times
from tests.simulator.conftest import START_SECONDS

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=12)
NUMBERS = st.integers(-(2**53), 2**53).filter(lambda number: number != CREATED)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53).filter(lambda number: number != CREATED)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def walk(http: httpx.Client, path: str, **asked: Any) -> list[str]:
    found: list[str] = []
    while True:
        cursor = {"starting_after": found[-1]} if found else {}
        page = http.get(path, params={"limit": 100, **asked, **cursor}).json()
        found += [body["id"] for body in page["data"]]
        if not page["has_more"]:
            return found


@given(fields=st.dictionaries(TEXTS, JSON, max_size=5), number=st.integers(0, 10**6))
def test_a_row_is_its_template_with_the_marks_filled_in(
    fields: dict[str, Any], number: int
) -> None:
    template = {**fields, "id": IDENTIFIER, "created": CREATED, "url": f"/%{IDENTIFIER}/{NUMBER}"}
    stock = Stock(template, times=Times(first=7, seconds=0, count=1))

    body = stock.body("x_1", number)

    assert body == {**fields, "id": "x_1", "created": 7, "url": f"/%x_1/{number}"}
    element = stock.element("x_1", number)
    assert orjson.loads(element) == body
    assert element == pretty([body])[len(b"[\n  ") : -len(b"\n]")].replace(b"\n", b"\n  ")


@given(count=st.integers(0, 5), has_more=st.booleans())
def test_a_page_is_the_same_bytes_as_its_body(count: int, has_more: bool) -> None:
    collection = Collection()
    identifiers = [f"x_{number}" for number in range(count)]
    template = {"id": IDENTIFIER, "lines": {"data": [{"of": IDENTIFIER}]}}
    stock = Stock(template, times=Times(first=1, seconds=0, count=max(count, 1)))
    collection.put_stock(stock, identifiers, unseen={})
    collection.put({"id": "x_own", "list": [1, {"a": 2}]}, created=1)
    page = Listed(
        collection=collection,
        identifiers=[*identifiers, "x_own"],
        has_more=has_more,
        url="/v1/x",
    )

    assert page.encoded() == pretty(page.body())


def test_every_object_of_a_big_account_is_listed_once(
    simulator: Simulator, http: httpx.Client
) -> None:
    made = simulator.make("customer", count=2_345, events=False)

    assert walk(http, "/v1/customers") == made[::-1]


def test_objects_spread_over_time_are_found_in_their_windows(
    simulator: Simulator, http: httpx.Client
) -> None:
    day = 86_400
    made = simulator.make(
        "charge", count=300, events=False, created=START_SECONDS - 10 * day, over_seconds=10 * day
    )

    windows = [
        walk(
            http,
            "/v1/charges",
            **{
                "created[gte]": START_SECONDS - (10 - number) * day,
                "created[lt]": START_SECONDS - (9 - number) * day,
            },
        )
        for number in range(10)
    ]

    assert [len(window) for window in windows] == [30] * 10
    assert [one for window in windows for one in reversed(window)] == made


def test_what_is_made_in_the_past_is_listed_behind_what_is_newer(
    simulator: Simulator, client: StripeClient
) -> None:
    newest = client.v1.customers.create({}).id
    oldest = simulator.make("customer", created=START_SECONDS - 1_000)
    middle = simulator.make("customer", created=START_SECONDS - 500)

    listed = client.v1.customers.list()

    assert [customer.id for customer in listed.data] == [newest, *middle, *oldest]


def test_one_of_many_can_be_changed_and_deleted_as_any_other(
    simulator: Simulator, client: StripeClient, http: httpx.Client
) -> None:
    made = simulator.make("customer", count=50, fields={"name": "One of many"}, events=False)

    changed = client.v1.customers.update(made[7], {"email": "seven@example.com"})
    client.v1.customers.delete(made[8])

    assert (changed.name, changed.email) == ("One of many", "seven@example.com")
    assert client.v1.customers.retrieve(made[7]).email == "seven@example.com"
    assert walk(http, "/v1/customers") == [one for one in reversed(made) if one != made[8]]


def test_the_same_seed_makes_the_same_objects(simulator: Simulator, http: httpx.Client) -> None:
    bodies = []
    for _ in range(2):
        simulator.reset(seed=5)
        (dispute,) = simulator.make("dispute", created=START_SECONDS)
        bodies.append({**http.get(f"/v1/disputes/{dispute}").json(), "evidence_details": None})

    assert bodies[0] == bodies[1]


def test_an_id_that_is_taken_is_refused(simulator: Simulator) -> None:
    simulator.make("coupon", fields={"id": "TAKEN"})

    with pytest.raises(httpx.HTTPStatusError):
        simulator.make("coupon", fields={"id": "TAKEN"})
