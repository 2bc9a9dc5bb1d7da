"""Rows that a plain list leaves out, and the readings of the catalogue that show them."""

from typing import Any

import httpx
import pytest

from schemas.endpoints import load_ways
from simulator.server import Simulator

PATHS = {
    listed.path: listed
    for ways in load_ways().values()
    for listed in ways.lists
    if not listed.parent and listed.passes != ({},)
}
HIDDEN: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/payment_methods": ("payment_method", {"type": "custom"}),
    "/v1/prices": ("price", {"active": False}),
    "/v1/subscriptions": ("subscription", {"status": "canceled"}),
    "/v1/tax/registrations": ("tax.registration", {"status": "expired"}),
}
"""By list: a type, and what hides an object of it."""
CLOCK = "test_helpers.test_clock"


def ids(http: httpx.Client, path: str, **asked: Any) -> set[str]:
    answer = http.get(path, params={"limit": 100, **asked})
    assert answer.status_code == 200, answer.text
    return {body["id"] for body in answer.json()["data"]}


@pytest.mark.parametrize("path", HIDDEN)
def test_the_readings_together_show_what_the_plain_list_hides(
    simulator: Simulator, http: httpx.Client, path: str
) -> None:
    name, fields = HIDDEN[path]
    shown = simulator.make(name, count=2)
    hidden = simulator.make(name, count=2, fields=fields)

    plain = ids(http, path)
    read = set().union(*(ids(http, path, **reading) for reading in PATHS[path].passes))

    assert plain == set(shown)
    assert read == {*shown, *hidden}


def test_every_list_that_is_read_more_than_once_or_with_a_filter_is_known_here() -> None:
    # These two have to be asked for a scope, or for a type, of which there is one.
    asked = {"/v1/apps/secrets", "/v1/tax/locations"}

    assert set(PATHS) == {*HIDDEN, *asked}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("customer", "/v1/customers"),
        ("quote", "/v1/quotes"),
        ("subscription", "/v1/subscriptions"),
    ],
)
def test_what_has_a_test_clock_is_listed_for_that_clock_only(
    simulator: Simulator, http: httpx.Client, name: str, path: str
) -> None:
    clocks = [simulator.make(CLOCK)[0] for _ in range(2)]
    plain = simulator.make(name)
    timed = [simulator.make(name, fields={"test_clock": clock})[0] for clock in clocks]

    assert ids(http, path) == set(plain)
    assert [ids(http, path, test_clock=clock) for clock in clocks] == [{one} for one in timed]


def test_schedules_of_a_clocks_customer_are_listed_for_that_customer_only(
    simulator: Simulator, http: httpx.Client
) -> None:
    (clock,) = simulator.make(CLOCK)
    (timed,) = simulator.make("customer", fields={"test_clock": clock})
    (untimed,) = simulator.make("customer")
    hidden = simulator.make("subscription_schedule", fields={"customer": timed})
    shown = simulator.make("subscription_schedule", fields={"customer": untimed})

    assert ids(http, "/v1/subscription_schedules") == set(shown)
    assert ids(http, "/v1/subscription_schedules", customer=timed) == set(hidden)


def test_closed_reviews_are_not_listed_and_can_be_retrieved(
    simulator: Simulator, http: httpx.Client
) -> None:
    opened = simulator.make("review", fields={"open": True})
    (closed,) = simulator.make("review", fields={"open": False})

    assert ids(http, "/v1/reviews") == set(opened)
    assert http.get(f"/v1/reviews/{closed}").json()["id"] == closed


def test_a_status_asked_for_shows_that_one_only(simulator: Simulator, http: httpx.Client) -> None:
    simulator.make("tax.registration", fields={"status": "active"})
    expired = simulator.make("tax.registration", fields={"status": "expired"})

    assert ids(http, "/v1/tax/registrations", status="expired") == set(expired)
