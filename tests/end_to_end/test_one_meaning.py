"""The events of a busy quarter in the shapes of many API versions: the columns say the same."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest

from producer.normalise import Normaliser
from schemas.columns import Column, ColumnKind
from schemas.history import load_history
from schemas.objects import ObjectType, load_catalogue
from simulator.endpoints import Endpoint
from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.conftest import START_SECONDS, client_of
from tests.simulator.receiver import Receiver
from tests.simulator.shop import DAY_SECONDS, Shop

SECRET = "whsec_versions"
NEWEST = "2026-10-28.endive"
VERSIONS = (
    "2026-02-25.clover",
    "2025-08-27.basil",
    "2025-02-24.acacia",
    "2024-06-20",
    "2022-11-15",
    "2020-08-27",
    "2019-02-11",
)


def a_busy_quarter(simulator: Simulator) -> None:
    """Whatever has a shape that Stripe changed is made, paid, changed and canceled."""
    client = client_of(simulator)
    shop = Shop(client)
    coupon = client.v1.coupons.create({"percent_off": 50, "duration": "forever"})
    promotion: Any = {"coupon": coupon.id, "type": "coupon"}
    code = client.v1.promotion_codes.create({"promotion": promotion})
    customer = shop.customer()
    once: Any = {"currency": "usd", "product_data": {"name": "Setup"}, "unit_amount": 300}
    price = client.v1.prices.create(once)
    item: Any = {"customer": customer.id, "pricing": {"price": price.id}}
    client.v1.invoice_items.create(item)
    discounted = shop.subscription(customer, discounts=[{"promotion_code": code.id}])
    shop.subscription(trial_period_days=7)
    shop.subscription(shop.customer(card="pm_card_chargeCustomerFail"))
    simulator.advance(seconds=40 * DAY_SECONDS)
    charge = client.v1.charges.list({"limit": 1}).data[0]
    client.v1.refunds.create({"charge": charge.id, "amount": 100})
    client.v1.subscriptions.update(discounted.id, {"cancel_at_period_end": True})
    client.v1.subscriptions.cancel(discounted.id)


@pytest.fixture(scope="module")
def told() -> Iterator[dict[str, dict[str, dict[str, Any]]]]:
    """By version, the objects of all events by the event's id, as endpoints received them."""
    receivers = {version: Receiver(secret=SECRET) for version in (NEWEST, *VERSIONS)}
    endpoints = tuple(
        Endpoint(name=version, url=receiver.url, secrets=(SECRET,), api_version=version)
        for version, receiver in receivers.items()
    )
    with Simulator(Options(start_seconds=START_SECONDS, endpoints=endpoints)) as simulator:
        a_busy_quarter(simulator)
        assert simulator.settle(seconds=60)
    yield {
        version: {event["id"]: event["data"]["object"] for event in receiver.events}
        for version, receiver in receivers.items()
    }
    for receiver in receivers.values():
        receiver.stop()


def columns(object_type: ObjectType, body: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a body holds, as far as versions can agree on it."""
    normaliser = Normaliser(object_type)
    found = normaliser.columns([normaliser.read(orjson.dumps(body))])
    return {column.name: shown(column, *found[column.name]) for column in object_type.columns}


def shown(column: Column, value: Any) -> Any:
    """One value of a column."""
    if column.kind is ColumnKind.JSON and value is not None:
        return essence(orjson.loads(value))
    return value


def essence(value: Any) -> Any:
    """A value without what is null or empty, with the ids of embedded objects in their place."""
    if isinstance(value, list):
        return [essence(one) for one in value] or None
    if not isinstance(value, dict):
        return value
    if value.get("object") == "list":
        return essence(value["data"])
    if "object" in value and "id" in value:
        return value["id"]
    found = {name: essence(inner) for name, inner in value.items()}
    return {name: inner for name, inner in found.items() if inner is not None} or None


@pytest.mark.parametrize("version", VERSIONS)
def test_every_column_says_the_same_whichever_version_the_body_is_in(
    told: dict[str, dict[str, dict[str, Any]]], version: str
) -> None:
    assert told[version].keys() == told[NEWEST].keys()
    different = {}
    for event_id, new in told[NEWEST].items():
        object_type = load_catalogue().get(new["object"])
        if object_type.key_rule is None:
            continue
        newest, old = columns(object_type, new), columns(object_type, told[version][event_id])
        for column in object_type.columns:
            both = newest[column.name], old[column.name]
            if both[0] != both[1] and not may_differ(object_type.name, column, both, version):
                different[object_type.name, column.name] = both

    assert different == {}


def may_differ(name: str, column: Column, both: tuple[Any, Any], version: str) -> bool:
    """Whether one of the two versions cannot know the value, or not all of it."""
    field = load_history().fields.get(name, {}).get(column.source)
    if field is None:
        return False
    newest, old = both
    part = isinstance(old, dict) and isinstance(newest, dict) and old.items() <= newest.items()
    later = (old is None or part) and field.first > version
    gone = newest is None and field.last != NEWEST
    return later or gone
