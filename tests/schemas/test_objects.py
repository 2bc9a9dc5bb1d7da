"""The catalogue: keys, columns and events of every type, the unknown ones too."""

from typing import Any

import pytest

from schemas.columns import ColumnKind, record_name
from schemas.objects import (
    KeyRule,
    StrangeObjectName,
    load_catalogue,
    object_id,
    record_key,
)

CATALOGUE = load_catalogue()


@pytest.mark.parametrize(
    ("name", "body", "key"),
    [
        ("customer", {"id": "cus_1"}, "cus_1"),
        ("balance", {"object": "balance"}, "balance"),
        ("tax.settings", {"object": "tax.settings"}, "tax.settings"),
        ("capability", {"id": "transfers", "account": "acct_2"}, "acct_2:transfers"),
        ("capability", {"id": "transfers", "account": {"id": "acct_2"}}, "acct_2:transfers"),
        ("cash_balance", {"customer": "cus_1"}, "cus_1"),
        ("entitlements.active_entitlement_summary", {"customer": "cus_1"}, "cus_1"),
        ("some.new_thing", {"id": "new_1"}, "new_1"),
    ],
)
def test_a_stored_object_has_a_key(name: str, body: dict[str, Any], key: str) -> None:
    object_type = CATALOGUE.get(name)

    assert object_id(object_type, body) == key
    assert record_key(object_type, body, "") == key
    assert record_key(object_type, body, "acct_9") == f"acct_9/{key}"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("invoice", {"object": "invoice", "subscription": "sub_1"}),
        ("invoice", {"id": "upcoming_in_1", "object": "invoice"}),
        ("invoice", {"id": ""}),
        ("invoice", {"id": 5}),
        ("invoice", {"id": None}),
        ("tax.calculation", {"id": None, "object": "tax.calculation"}),
        ("capability", {"id": "transfers"}),
        ("event", {"id": "evt_1"}),
        ("billing.alert_triggered", {"object": "billing.alert_triggered"}),
        ("some.new_thing", {}),
    ],
)
def test_what_is_no_stored_object_has_no_key(name: str, body: dict[str, Any]) -> None:
    assert object_id(CATALOGUE.get(name), body) is None
    assert record_key(CATALOGUE.get(name), body, "acct_9") is None


def test_no_two_accounts_and_no_two_objects_share_a_key() -> None:
    capability = CATALOGUE.get("capability")
    bodies = [
        {"id": i, "account": a} for i in ("transfers", "cards") for a in ("acct_1", "acct_2")
    ]

    keys = {record_key(capability, body, account) for body in bodies for account in ("", "acct_1")}

    assert len(keys) == 8


def test_a_known_type_has_its_columns_and_events() -> None:
    found = CATALOGUE.get("checkout.session")

    assert (found.name, found.table, found.known) == ("checkout.session", "checkout_session", True)
    assert found.key_rule == KeyRule(fields=("id",))
    assert found.columns[0].name == "id"
    assert "checkout.session.completed" in found.event_types
    assert found.schema["name"] == "CheckoutSession"
    assert CATALOGUE.get("checkout.session") is found


def test_an_unknown_type_is_generic() -> None:
    found = CATALOGUE.get("v2.core.account")

    assert (found.table, found.known) == ("v2_core_account", False)
    assert [column.name for column in found.columns] == ["id", "object", "created", "livemode"]
    assert found.schema["stripe.object"] == "v2.core.account"


def test_a_type_that_is_known_not_to_be_stored_is_not_among_the_types() -> None:
    assert CATALOGUE.get("event").key_rule is None
    assert "event" not in CATALOGUE.names()
    assert {found.name for found in CATALOGUE} == set(CATALOGUE.names())


@pytest.mark.parametrize(
    "name", ["", "Customer", "a b", "a..b", ".a", "a.", "1a", "a;drop", "x" * 61, "é"]
)
def test_a_name_that_cannot_be_a_table_is_refused(name: str) -> None:
    with pytest.raises(StrangeObjectName):
        CATALOGUE.get(name)


def test_a_name_whose_table_is_another_types_is_refused() -> None:
    with pytest.raises(StrangeObjectName, match="checkout_session"):
        CATALOGUE.get("checkout_session")


def test_no_two_types_share_a_table_or_a_record_name() -> None:
    assert len({found.table for found in CATALOGUE}) == len(CATALOGUE.names())
    assert len({record_name(name) for name in CATALOGUE.names()}) == len(CATALOGUE.names())


def test_a_subscription_has_the_columns_that_the_trial_query_needs() -> None:
    kinds = {column.name: column.kind for column in CATALOGUE.get("subscription").columns}

    assert kinds["customer_id"] is ColumnKind.REFERENCE
    assert kinds["status"] is ColumnKind.STRING
    assert kinds["metadata"] is ColumnKind.JSON
    assert kinds["trial_end"] is ColumnKind.TIMESTAMP
    assert "customer" not in kinds
