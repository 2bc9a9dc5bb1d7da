"""Events: what they say was before, and how they are found."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import InvalidRequestError, StripeClient

from simulator.events import API_VERSION, previous_attributes
from simulator.faults import FaultPlan
from simulator.server import Simulator
from tests.simulator.conftest import START_SECONDS
from tests.simulator.shop import DAY_SECONDS, Shop, previous, subject

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"]))
VALUES = st.recursive(
    st.one_of(LEAVES, st.lists(LEAVES, max_size=3)),
    lambda inner: st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.fixed_dictionaries({"one": VALUES, "two": VALUES})


def undone(new: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """`new` with what an event says was before; keys that were not there become None."""
    merged = dict(new)
    for key, value in before.items():
        nested = isinstance(value, dict) and isinstance(new.get(key), dict)
        merged[key] = undone(new[key], value) if nested else value
    return merged


def without_nones(value: Any) -> Any:
    """A body without the keys that are None: Stripe says None for a key that was not there."""
    if not isinstance(value, dict):
        return value
    return {key: without_nones(inner) for key, inner in value.items() if inner is not None}


def test_previous_attributes_are_the_changed_leaves_and_whole_arrays() -> None:
    old = {"a": 1, "same": 2, "deep": {"x": 1, "y": 2}, "list": [{"p": 1}, {"p": 2}], "m": {}}
    new = {"a": 3, "same": 2, "deep": {"x": 1, "y": 5}, "list": [{"p": 1}], "m": {"new": "v"}}

    assert previous_attributes(old, new) == {
        "a": 1,
        "deep": {"y": 2},
        "list": [{"p": 1}, {"p": 2}],
        "m": {"new": None},
    }


@settings(deadline=None)
@given(old=BODIES, new=BODIES)
def test_the_new_body_with_the_previous_attributes_is_the_old_one(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    before = previous_attributes(old, new)

    assert without_nones(undone(new, before)) == without_nones(old)


@settings(deadline=None)
@given(body=BODIES)
def test_an_unchanged_body_has_no_previous_attributes(body: dict[str, Any]) -> None:
    assert previous_attributes(body, body) == {}


def test_an_event_holds_the_object_as_it_was_then(client: StripeClient, shop: Shop) -> None:
    customer = client.v1.customers.create({"name": "one"})
    client.v1.customers.update(customer.id, {"name": "two"})
    client.v1.customers.update(customer.id, {"name": "three"})

    created, second, third = shop.events()

    assert [subject(event)["name"] for event in (created, second, third)] == [
        "one",
        "two",
        "three",
    ]
    assert [previous(event)["name"] for event in (second, third)] == ["one", "two"]
    assert "previous_attributes" not in created.data.to_dict()


def test_an_event_says_which_request_caused_it(client: StripeClient, shop: Shop) -> None:
    customer = client.v1.customers.create({"name": "one"})

    (event,) = shop.events()

    assert customer.last_response is not None
    assert event.request is not None
    assert event.request.id == customer.last_response.request_id
    assert (event.api_version, event.livemode) == (API_VERSION, False)


def test_events_of_a_stopped_clock_share_their_second(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    second = simulator.stop_clock()
    customer = client.v1.customers.create({})
    for number in range(3):
        client.v1.customers.update(customer.id, {"name": str(number)})

    assert {event.created for event in shop.events()} == {second}
    assert len(shop.events()) == 4


def test_events_are_found_by_type_and_by_a_pattern(client: StripeClient) -> None:
    client.v1.products.create({"name": "x"})
    client.v1.customers.create({})
    client.v1.coupons.create({"percent_off": 5})

    def kinds(**asked: Any) -> list[str]:
        return [event.type for event in client.v1.events.list(asked).data]  # type: ignore[arg-type]

    assert kinds(type="customer.*") == ["customer.created"]
    assert kinds(types=["product.created", "coupon.created"]) == [
        "coupon.created",
        "product.created",
    ]
    with pytest.raises(InvalidRequestError, match="but not both"):
        kinds(type="customer.*", types=["product.created"])


def test_events_are_kept_for_thirty_days(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.stop_clock()
    client.v1.customers.create({})
    (event,) = shop.events()

    simulator.advance(seconds=30 * DAY_SECONDS)
    assert client.v1.events.retrieve(event.id).id == event.id
    simulator.advance(seconds=1)

    assert shop.events() == []
    with pytest.raises(InvalidRequestError, match="No such event"):
        client.v1.events.retrieve(event.id)


def test_the_list_of_events_can_lag(simulator: Simulator, client: StripeClient) -> None:
    simulator.stop_clock()
    simulator.put_faults(FaultPlan(events_lag_seconds=10))
    client.v1.customers.create({})

    fresh = client.v1.events.list().data
    simulator.advance(seconds=10)

    assert fresh == []
    assert [event.created for event in client.v1.events.list().data] == [START_SECONDS]


def test_events_whose_webhook_was_not_accepted_can_be_listed(
    simulator: Simulator, client: StripeClient
) -> None:
    client.v1.customers.create({})
    simulator.settle()
    simulator.drop_webhooks(1)
    client.v1.products.create({"name": "x"})

    missed = client.v1.events.list({"delivery_success": False}).data
    arrived = client.v1.events.list({"delivery_success": True}).data

    assert [(event.type, event.pending_webhooks) for event in missed] == [("product.created", 1)]
    assert [(event.type, event.pending_webhooks) for event in arrived] == [("customer.created", 0)]
