"""Bodies of old and of new API versions, from the webhook to the row: one meaning per column."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.columns import ColumnKind
from schemas.history import load_history
from schemas.meta import META_FIELDS
from schemas.objects import load_catalogue
from tests.end_to_end.bodies_of_two_ages import (
    CREATED,
    MONTH,
    NEW_VERSION,
    OLD_VERSION,
    TWO_AGES,
    Body,
    invoice_of_2026_with_payments,
)
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually
from tests.end_to_end.stripe_events import FIRST_SECOND, Told
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace

pytestmark = pytest.mark.stack

MIDDLE_VERSION = "2024-06-20"
RENDERINGS = (OLD_VERSION, MIDDLE_VERSION, NEW_VERSION)


@pytest.fixture(scope="module")
def installation(
    stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation for all tests of this module, for the objects of two ages."""
    folder = tmp_path_factory.mktemp("installation")
    with fresh_namespace(stack) as namespace, fresh_database(stack) as database_url:
        made = Installation(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=folder,
            OBJECTS=",".join((*TWO_AGES, "subscription_item")),
        )
        with made.running():
            yield made


def rendered(name: str, suffix: str, version: str) -> Body:
    """The body of one object in an API version: that of an endpoint, an account or a list."""
    old, new = TWO_AGES[name].old(suffix), TWO_AGES[name].new(suffix)
    fields = load_history().fields[name]
    still = {field: value for field, value in old.items() if fields[field].last >= version}
    already = {field: value for field, value in new.items() if fields[field].first <= version}
    return still | already


def event(name: str, body: Body, *, event_id: str, version: str, second: int = 0) -> Told:
    """The event that shows a body, rendered in an API version; `second` counts from the first."""
    sent = {
        "id": event_id,
        "object": "event",
        "api_version": version,
        "created": FIRST_SECOND + second,
        "data": {"object": body, "previous_attributes": {"metadata": {"order": "1"}}},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": TWO_AGES[name].event_type,
    }
    return Told(
        event_id=event_id,
        object_id=body["id"],
        second=FIRST_SECOND + second,
        version=0,
        body=json.dumps(sent, indent=2).encode(),
    )


def row(installation: Installation, name: str, object_id: str) -> dict[str, Any]:
    """An object's row, which is awaited."""
    query = f"select * from stripe.{name} where id = '{object_id}'"
    eventually(
        lambda: bool(installation.rows(query)),
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"the row of {object_id}",
    )
    (found,) = installation.rows(query)
    return found


def compared(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """What two versions of an object must agree on: all flat columns, and some nested ones."""
    ages = TWO_AGES[name]
    return {
        column.name: found[column.name]
        for column in load_catalogue().get(name).columns
        if column.name not in ages.only_old | {"id"}
        if column.kind is not ColumnKind.JSON or column.name in ages.nested
    }


@pytest.mark.parametrize("name", TWO_AGES)
def test_an_event_with_a_body_of_2019_and_one_of_2026_give_the_same_columns(
    installation: Installation, name: str
) -> None:
    sender, ages = installation.sender(), TWO_AGES[name]
    old, new = ages.old("of2019"), ages.new("of2026")

    sender.deliver(event(name, old, event_id=f"evt_{name}_old", version=OLD_VERSION))
    sender.deliver(event(name, new, event_id=f"evt_{name}_new", version=NEW_VERSION))

    found = [row(installation, name, body["id"]) for body in (old, new)]
    assert compared(name, found[0]) == compared(name, found[1])
    told = {column for column, value in compared(name, found[0]).items() if value is not None}
    assert len(told) >= 10
    assert [(one["_api_version"], one["extra"]) for one in found] == [
        (OLD_VERSION, None),
        (NEW_VERSION, None),
    ]
    assert None not in {found[0][column] for column in ages.only_old}
    assert {found[1][column] for column in ages.only_old} <= {None}


@pytest.mark.parametrize("name", TWO_AGES)
def test_one_event_in_three_renderings_is_one_record_whichever_arrives_first(
    installation: Installation, name: str
) -> None:
    sender = installation.sender()
    objects = []
    for number, order in enumerate(itertools.permutations(RENDERINGS)):
        for version in order:
            body = rendered(name, f"r{number}", version)
            sender.deliver(event(name, body, event_id=f"evt_{name}_{number}", version=version))
        objects.append((body["id"], order[0]))
    installation.await_relayed()

    records = installation.published(name, [object_id for object_id, _ in objects])

    by_key = {record.key: record.value for record in records}
    assert len(records) == len(by_key) == len(objects)
    assert [by_key[object_id]["_api_version"] for object_id, _ in objects] == [
        version for _, version in objects
    ]
    first, *others = [without_what_differs(name, by_key[object_id]) for object_id, _ in objects]
    assert others == [first] * len(others)


def without_what_differs(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """A record without what tells one object, one arrival and one version from another."""
    tells = {"_event_id", "_received_at", "_api_version"}
    return compared(name, record) | {
        field: record[field] for field in META_FIELDS if field not in tells
    }


def test_an_invoice_that_shows_its_payments_tells_what_paid_it(
    installation: Installation,
) -> None:
    body = invoice_of_2026_with_payments("paid")

    installation.sender().deliver(
        event("invoice", body, event_id="evt_invoice_paid", version=NEW_VERSION)
    )

    found = row(installation, "invoice", body["id"])
    assert (found["charge_id"], found["payment_intent_id"]) == ("ch_ages", "pi_ages")


def test_an_item_has_the_period_that_old_bodies_tell_of_its_subscription(
    installation: Installation,
) -> None:
    sender, ages = installation.sender(), TWO_AGES["subscription"]
    old, new = ages.old("item1"), ages.new("item2")
    renewed = {
        **old,
        "current_period_start": CREATED + MONTH,
        "current_period_end": CREATED + 2 * MONTH,
    }

    sender.deliver(event("subscription", old, event_id="evt_item_1", version=OLD_VERSION))
    sender.deliver(event("subscription", new, event_id="evt_item_2", version=NEW_VERSION))
    found = [items(installation, body["id"], CREATED + MONTH) for body in (old, new)]
    sender.deliver(
        event("subscription", renewed, event_id="evt_item_3", version=OLD_VERSION, second=1)
    )

    assert found[0] == found[1]
    assert items(installation, old["id"], CREATED + 2 * MONTH) != found[0]


def items(installation: Installation, subscription: str, period_end: int) -> dict[str, Any]:
    """The flat columns of a subscription's one item, once its period ends then."""
    query = f"""
        select * from stripe.subscription_item
        where subscription_id = '{subscription}'
          and current_period_end = to_timestamp({period_end})
    """
    eventually(
        lambda: bool(installation.rows(query)),
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"the item of {subscription} has its period",
    )
    (found,) = installation.rows(query)
    return {
        column.name: found[column.name]
        for column in load_catalogue().get("subscription_item").columns
        if column.kind is not ColumnKind.JSON and column.name not in {"id", "subscription_id"}
    }
