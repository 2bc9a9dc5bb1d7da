"""The simulated objects against Stripe's own example objects and against the schemas."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from schemas.history import load_history
from simulator.generic.every_type import Types
from simulator.resources.catalogue import RESOURCES

ROOT = Path(__file__).parents[2]
EXAMPLES_FILE = ROOT.parent / "shared" / "stripe" / "fixtures-2026-07-29.json"
SCHEMAS_FOLDER = ROOT / "schemas" / "avro"

# What the example objects show and Stripe no longer sends with the simulated version.
GONE = {
    "charge": {"refunds": "sent only when expanded, since 2022-11-15"},
    "invoice": {"subscription": "moved to parent.subscription_details with 2025-03-31.basil"},
}
# Sent in place of the object once it was deleted, never as a field of a living one.
ONLY_WHEN_DELETED = {"deleted"}
# A payment method has the hash of its own type only; the simulator has cards.
OWN_TYPE_ONLY = "payment_method"
# Maps with the merchant's own keys.
FREE_KEYS = {"metadata"}


@pytest.fixture
def post(http: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Makes something by its path and form; its body."""

    def post(path: str, **form: str) -> dict[str, Any]:
        answer = http.post(f"/v1/{path}", data=form)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    return post


@pytest.fixture
def of_accounts(http: httpx.Client, post: Callable[..., dict[str, Any]]) -> list[dict[str, Any]]:
    """A connected account and one of each type that is found under it."""
    account = post(
        "accounts",
        **{
            "capabilities[card_payments][requested]": "true",
            "capabilities[transfers][requested]": "true",
            "external_account": "btok_us",
            "type": "custom",
        },
    )
    path = f"accounts/{account['id']}"
    return [
        account,
        account["external_accounts"]["data"][0],
        http.get(f"/v1/{path}/capabilities/transfers").json(),
        post(f"{path}/external_accounts", external_account="tok_visa_debit"),
        post(f"{path}/persons", first_name="Jenny"),
    ]


@pytest.fixture
def bodies(
    http: httpx.Client,
    post: Callable[..., dict[str, Any]],
    of_accounts: list[dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """One object of every type that the simulator has, as it is on the wire."""
    coupon = post("coupons", percent_off="25.5", duration="forever")
    code = post(
        "promotion_codes", **{"promotion[type]": "coupon", "promotion[coupon]": coupon["id"]}
    )
    customer = post(
        "customers",
        **{
            "payment_method": "pm_card_visa",
            "invoice_settings[default_payment_method]": "pm_card_visa",
            "shipping[name]": "Someone",
        },
    )
    price = post(
        "prices",
        **{
            "currency": "usd",
            "unit_amount": "2000",
            "recurring[interval]": "month",
            "product_data[name]": "Basic",
        },
    )
    subscription = post(
        "subscriptions",
        **{
            "customer": customer["id"],
            "items[0][price]": price["id"],
            "discounts[0][promotion_code]": code["id"],
            "expand[0]": "discounts",
            "expand[1]": "latest_invoice",
            "expand[2]": "latest_invoice.payments",
        },
    )
    invoice = subscription["latest_invoice"]
    charge = post("charges", amount="500", currency="usd", source="tok_visa")
    endpoint = {"url": "http://127.0.0.1:9/hook", "enabled_events[0]": "topup.failed"}
    found = [
        *of_accounts,
        post("webhook_endpoints", **endpoint),
        coupon,
        code,
        customer,
        price,
        subscription,
        invoice,
        post("refunds", charge=charge["id"]),
        post("invoiceitems", customer=customer["id"], amount="5", currency="usd"),
        subscription["items"]["data"][0],
        subscription["discounts"][0],
        invoice["lines"]["data"][0],
        invoice["payments"]["data"][0],
        *(
            http.get(f"/v1/{path}").json()["data"][0]
            for path in (
                "balance_transactions",
                "charges",
                "payment_intents",
                "payment_methods",
                "products",
            )
        ),
    ]
    return {body["object"]: body for body in found}


@pytest.fixture(scope="module")
def examples() -> dict[str, dict[str, Any]]:
    if not EXAMPLES_FILE.exists():
        pytest.skip(
            f"lacks {EXAMPLES_FILE}: Stripe's example objects, "
            "fixtures3.json of the repository stripe/openapi"
        )
    found: dict[str, dict[str, Any]] = orjson.loads(EXAMPLES_FILE.read_bytes())["resources"]
    return found


def kind(value: Any) -> str:
    """The JSON type of a value."""
    names = {bool: "boolean", str: "string", dict: "object", list: "array", type(None): "null"}
    return names.get(type(value), "number")


def differences(ours: dict[str, Any], theirs: dict[str, Any], *, at: str) -> list[str]:
    """Keys of `theirs` that `ours` lacks or has with another type; null fits every type.

    Nested objects that both have are compared too: ours must be as complete as theirs.
    """
    found = []
    for key, example in theirs.items():
        if key not in ours:
            found.append(f"{at}.{key} is missing")
            continue
        value = ours[key]
        if value is None or example is None:
            continue
        if kind(value) != kind(example):
            found.append(f"{at}.{key} is {kind(value)}, not {kind(example)}")
        elif isinstance(value, dict) and key not in FREE_KEYS and "object" not in example:
            found += differences(value, example, at=f"{at}.{key}")
    return found


def test_every_type_that_is_simulated_is_compared(bodies: dict[str, dict[str, Any]]) -> None:
    assert set(bodies) == {resource.name for resource in RESOURCES}


def test_objects_have_every_field_of_stripes_examples_with_its_type(
    bodies: dict[str, dict[str, Any]], examples: dict[str, dict[str, Any]]
) -> None:
    found = []
    for name, body in bodies.items():
        example = {
            key: value for key, value in examples[name].items() if key not in GONE.get(name, {})
        }
        found += differences(body, example, at=name)

    assert found == []


def test_objects_have_every_field_of_their_schema_and_no_other(
    bodies: dict[str, dict[str, Any]],
) -> None:
    included = {name: set(found.included) for name, found in Types().resources.items()}
    lacking, unknown = {}, {}
    for name, body in bodies.items():
        schema = orjson.loads((SCHEMAS_FOLDER / f"{name}.avsc").read_bytes())
        removed = load_history().removed(name)
        fields = {field["stripe.field"] for field in schema["fields"] if "stripe.field" in field}
        expected = fields - ONLY_WHEN_DELETED - removed.keys() - included[name]
        if name == OWN_TYPE_ONLY:
            expected = {
                field for field in expected if field in body or not _is_json(schema, field)
            }
        lacking[name] = expected - set(body)
        unknown[name] = set(body) - fields
    assert {name: fields for name, fields in lacking.items() if fields} == {}
    assert {name: fields for name, fields in unknown.items() if fields} == {}


def test_fields_that_are_only_sent_when_expanded_can_be(
    http: httpx.Client, bodies: dict[str, dict[str, Any]]
) -> None:
    for resource in RESOURCES:
        if not resource.listed or resource.name in {"discount", "line_item"}:
            continue
        for field in resource.included:
            path = f"/v1/{resource.path}/{bodies[resource.name]['id']}"
            answer = http.get(path, params={"expand[]": field})
            assert answer.status_code == 200, answer.text
            assert field in answer.json()


def _is_json(schema: dict[str, Any], name: str) -> bool:
    return any(
        field["name"] == name and field["sql.type"] == "jsonb" for field in schema["fields"]
    )
