"""Every one of Stripe's example objects, from a signed webhook into its row, field by field."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually
from tests.end_to_end.stripe_events import FIRST_SECOND, Told
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.official_examples import official_examples

pytestmark = pytest.mark.stack

Body = dict[str, Any]
Rows = psycopg.Connection[dict[str, Any]]

CATALOGUE = load_catalogue()
NATURAL_KEYS: Mapping[str, Callable[[Body], str]] = {
    "balance": lambda _: "balance",
    "balance_settings": lambda _: "balance_settings",
    "billing.credit_balance_summary": lambda body: str(body["customer"]["id"]),
    "capability": lambda body: f"{body['account']}:{body['id']}",
    "cash_balance": lambda body: str(body["customer"]),
    "entitlements.active_entitlement_summary": lambda body: str(body["customer"]),
    "tax.settings": lambda _: "tax.settings",
}
"""What stands in the column `id` where Stripe has no id that tells an object from others."""
OWNERS = {
    child.object_name: (ways.object_name, child.field)
    for ways in load_ways().values()
    for child in ways.children
    if child.owned
}
SHOWN_ON_REQUEST = {
    (ways.object_name, child.field)
    for ways in load_ways().values()
    for child in ways.children
    if child.expanded_only
}
"""Lists that no event shows: they have no place in a row, but in the table of their elements."""
MOVED = {
    (found.name, column.source)
    for found in CATALOGUE
    for column in found.columns
    if column.newer or column.older or column.parts
}
"""Fields that Stripe moved: where one place is empty, the other fills the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One of Stripe's examples.

    Attributes:
        resource: Stripe's name of the example.
        body: the example, under an id of its own.
        shown: the object that an event shows: the example itself, or what it is a part of.
    """

    resource: str
    body: Body
    shown: Body

    @property
    def row_id(self) -> str:
        natural_key = NATURAL_KEYS.get(self.body["object"])
        return str(self.body["id"]) if natural_key is None else natural_key(self.body)

    def told(self, account: str | None) -> Told:
        """The event that shows it, of the merchant's own or of a connected account."""
        return told(self.resource, event_type_of(self.shown), self.shown, account=account)


def event_type_of(body: Body) -> str:
    """One of Stripe's event types for an object, or one that it does not have."""
    gone = bool(body.get("deleted"))
    types = CATALOGUE.get(body["object"]).event_types
    fitting = [found for found in types if found.endswith(".deleted") == gone]
    return next(iter(fitting), f"{body['object']}.{'deleted' if gone else 'updated'}")


def told(name: str, event_type: str, body: Body, *, account: str | None = None) -> Told:
    """The event that shows a body."""
    event = {
        "id": f"evt_{name}_{account or 'own'}",
        "account": account,
        "object": "event",
        "api_version": "2026-07-29.dahlia",
        "created": FIRST_SECOND,
        "data": {"object": body},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": event_type,
    }
    return Told(
        event_id=f"evt_{name}_{account or 'own'}",
        object_id=name,
        second=FIRST_SECOND,
        version=0,
        body=json.dumps(event, indent=2).encode(),
    )


def has_row(body: Body) -> bool:
    return CATALOGUE.get(body["object"]).key_rule is not None


def examples() -> list[Example]:
    """Each example of what has a row, and something of each type that has no example."""
    bodies = official_examples()
    exemplified = {body["object"] for body in bodies.values()}
    bodies |= {
        name: {"object": name, "id": "one_1", "created": FIRST_SECOND}
        for name in CATALOGUE.names()
        if name not in exemplified
    }
    found = []
    taken: set[tuple[str, str]] = set()
    for resource, original in bodies.items():
        name = original["object"]
        if has_row(original):
            body = dict(original)
            if name not in NATURAL_KEYS:
                # Some examples have no id, or the id of another.
                body["id"] = body.get("id") or resource
                if (name, body["id"]) in taken:
                    body["id"] += f"_{resource}"
                taken.add((name, body["id"]))
            shown = body if name not in OWNERS else owner_of(body, resource, bodies)
            found.append(Example(resource=resource, body=body, shown=shown))
    return found


def owner_of(body: Body, resource: str, bodies: Mapping[str, Body]) -> Body:
    """An object that shows the example as the only one of a whole list."""
    name, field = OWNERS[body["object"]]
    shown = {"object": "list", "data": [body], "has_more": False, "url": "/v1/somewhere"}
    return {**bodies[name], "id": f"owner_of_{resource}", field: shown}


@pytest.fixture(scope="module")
def installation(
    stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation whose topics are there from the start: made one by one they take longer."""
    with fresh_namespace(stack) as namespace, fresh_database(stack) as database_url:
        made = Installation(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=tmp_path_factory.mktemp("installation"),
            OBJECTS="all",
            TOPIC_PARTITIONS="1",
        )
        with made.running():
            yield made


@pytest.mark.parametrize(
    ("account", "schema"), [(None, "stripe"), ("acct_connected", "stripe_connect")]
)
def test_every_field_of_every_example_is_in_its_row(
    installation: Installation, account: str | None, schema: str
) -> None:
    sent = examples()
    sender = installation.sender()
    for example in sent:
        sender.deliver(example.told(account))

    rows = rows_of(installation, schema, sent)

    lost = [line for example in sent for line in lost_in(example, rows[example.resource])]
    assert lost == []
    assert {example.body["object"] for example in sent} >= set(CATALOGUE.names())


def test_what_is_no_stored_object_stops_nothing(installation: Installation) -> None:
    sender = installation.sender()
    upcoming: list[Body] = [
        {"object": "invoice", "customer": "cus_foretold", "amount_due": 5},
        {"object": "invoice", "customer": "cus_foretold", "id": "upcoming_in_1"},
    ]
    others = [body for body in official_examples().values() if not has_row(body)]
    followed: Body = {"object": "customer", "id": "cus_followed", "name": "Ada"}
    for number, body in enumerate([*upcoming, *others]):
        sender.deliver(told(f"nothing_{number}", "invoice.upcoming", body))
    sender.deliver(told("followed", "customer.teleported", followed))

    query = "select name from stripe.customer where id = 'cus_followed'"
    eventually(
        lambda: installation.rows(query) == [{"name": "Ada"}],
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the customer of an event type never seen before has its row",
    )
    installation.await_relayed()
    query = "select id from stripe.invoice where customer_id = 'cus_foretold'"
    assert installation.rows(query) == []
    assert installation.relay.metric("stripeline_dead_letters_total") == 0


def rows_of(
    installation: Installation, schema: str, sent: Sequence[Example]
) -> Mapping[str, Body]:
    """The row of each example; waits for all."""
    rows: dict[str, Body] = {}
    missing = {example.resource: example for example in sent}
    with psycopg.connect(
        installation.database_url, row_factory=dict_row, autocommit=True
    ) as connection:

        def all_there() -> bool:
            for example in tuple(missing.values()):
                row = row_of(connection, schema, example)
                if row is None:
                    return False
                rows[example.resource] = row
                del missing[example.resource]
            return True

        eventually(
            all_there,
            seconds_max=ARRIVE_SECONDS_MAX,
            what="every example has its row",
            more=lambda: f"the next of {len(missing)} without one: {next(iter(missing))}",
        )
    return rows


def row_of(connection: Rows, schema: str, example: Example) -> Body | None:
    table = sql.Identifier(schema, example.body["object"].replace(".", "_"))
    query = sql.SQL("select * from {} where id = %s").format(table)
    try:
        return connection.execute(query, [example.row_id]).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return None


def lost_in(example: Example, row: Body) -> list[str]:
    """The fields that the row lacks, or shows otherwise."""
    name = example.body["object"]
    return [
        f"{example.resource}.{field}: {value!r} became {columns_of(row, field)!r}"
        for field, value in example.body.items()
        if not (field == "id" and name in NATURAL_KEYS)
        if not (value is None and (name, field) in MOVED)
        if not is_in(row, field, None if (name, field) in SHOWN_ON_REQUEST else value)
    ]


def columns_of(row: Body, field: str) -> dict[str, Any]:
    """Where the rules of docs/schemas.md let a field stand."""
    found = {name: row[name] for name in (field, f"{field}_id") if name in row}
    extra = row["extra"] or {}
    return found | ({"extra": extra[field]} if field in extra else {})


def is_in(row: Body, field: str, value: Any) -> bool:
    columns = columns_of(row, field)
    if value is None:
        return all(held is None for held in columns.values())
    identifier = value["id"] if isinstance(value, dict) and f"{field}_id" in columns else value
    return bool(columns) and all(
        says(held, identifier if column == f"{field}_id" else value)
        for column, held in columns.items()
    )


def says(held: Any, value: Any) -> bool:
    """Whether a column says what the body said."""
    if isinstance(held, datetime):
        held = held.timestamp()
    if isinstance(held, Decimal):
        value = Decimal(str(value))
    return bool(held == value)
