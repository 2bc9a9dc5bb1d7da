"""A part whose body does not say whose it is: the one who reads its list does."""

import msgspec
import pytest

from producer.belonging import belonging
from producer.normalise import Normaliser
from schemas.columns import PARENT_ID, PARENT_SOURCE
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from tests.backfill.backfilling import Backfilling

PARTS = {
    "entitlements.active_entitlement": "customer",
    "payment_intent_amount_details_line_item": "payment_intent",
    "product_feature": "product",
}


def test_parts_without_their_parents_id_are_known() -> None:
    silent = {
        (name, endpoint.parent)
        for name, ways in load_ways().items()
        for endpoint in ways.lists
        if endpoint.parent_untold
    }
    assert silent == set(PARTS.items())


@pytest.mark.parametrize("name", sorted(PARTS))
def test_the_parents_id_has_a_column(name: str) -> None:
    normaliser = Normaliser(load_catalogue().get(name))
    bare = b'{"id": "part_1", "object": "' + name.encode() + b'", "size": 1.50}'

    told = belonging(bare, "one_1")

    columns = normaliser.columns([normaliser.read(told)])
    assert columns[PARENT_ID] == ["one_1"]
    assert b"1.50" in told, "numbers stay as Stripe wrote them"
    assert normaliser.columns([normaliser.read(bare)])[PARENT_ID] == [None]


def test_what_is_no_object_belongs_to_nothing() -> None:
    with pytest.raises(msgspec.DecodeError):
        belonging(b"[]", "one_1")


@pytest.mark.stack
@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_backfilled_part_says_whose_it_is(backfilling: Backfilling, name: str) -> None:
    simulator = backfilling.simulator
    parents = simulator.make(PARTS[name], count=2)
    (endpoint,) = load_ways()[name].lists
    made = {
        simulator.make(name, fields={endpoint.parent_field: parent})[0]: parent
        for parent in parents
    }

    backfilling.run(name)

    shown = {key: body[PARENT_SOURCE] for key, body in backfilling.bodies().items()}
    assert shown == made
