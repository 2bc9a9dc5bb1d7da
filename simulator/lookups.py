"""What old shapes told of an object and only other objects tell now.

The others may have moved on since: what the object itself says limits what is taken from them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from simulator.embedded_lists import empty_list, short_list
from simulator.plans import plan_of
from simulator.state import Body, State

Lookup: TypeAlias = Callable[[State, Body], Any]


def object_named(state: State, name: str, identifier: str) -> Body:
    """A whole object, also one that was deleted; of one that is not kept, its id."""
    if name == "plan":
        return plan_of(object_named(state, "price", identifier))
    found = state[name].find(identifier) or state[name].deleted.get(identifier)
    return found or {"id": identifier, "object": name}


def _payments(state: State, invoice: Body) -> list[Body]:
    """Of an invoice, the default one first."""
    if "id" not in invoice:
        return []
    found = state["invoice_payment"].belonging("invoice", invoice["id"])
    return sorted(found, key=lambda payment: not payment["is_default"])


def _payment_intent(state: State, invoice: Body) -> str | None:
    if invoice["status"] == "draft":
        return None
    intents = [payment["payment"]["payment_intent"] for payment in _payments(state, invoice)]
    return intents[0] if intents else None


def _charge_of_invoice(state: State, invoice: Body) -> str | None:
    if not invoice["attempted"]:
        return None
    intent = state["payment_intent"].find(_payment_intent(state, invoice) or "")
    charge: str | None = intent["latest_charge"] if intent else None
    return charge


def _invoice_of_intent(state: State, intent: Body) -> str | None:
    return _invoice_paid_by(state, intent, intent["id"])


def _invoice_of_charge(state: State, charge: Body) -> str | None:
    return _invoice_paid_by(state, charge, charge["payment_intent"])


def _invoice_paid_by(state: State, owner: Body, intent: str | None) -> str | None:
    if owner["customer"] is None or intent is None:
        return None
    for invoice in state["invoice"].belonging("customer", owner["customer"]):
        for payment in _payments(state, invoice):
            if payment["payment"]["payment_intent"] == intent:
                return str(invoice["id"])
    return None


def _plan(state: State, line: Body) -> Body | None:
    price = ((line["pricing"] or {}).get("price_details") or {}).get("price")
    return object_named(state, "plan", price) if price else None


def _charges(state: State, intent: Body) -> Body:
    charges = state["charge"].belonging("payment_intent", intent["id"])
    ids = [charge["id"] for charge in charges]
    latest = intent["latest_charge"]
    found = charges[: ids.index(latest) + 1] if latest in ids else []
    return short_list(found[::-1], url=f"/v1/charges?payment_intent={intent['id']}")


def _refunds(state: State, charge: Body) -> Body:
    found: list[Body] = []
    left = charge["amount_refunded"]
    for refund in state["refund"].belonging("charge", charge["id"]):
        if refund["amount"] <= left:
            left -= refund["amount"]
            found.append(refund)
    return short_list(found[::-1], url=f"/v1/charges/{charge['id']}/refunds")


def _of_customer(name: str) -> Lookup:
    def found(state: State, customer: Body) -> Body:
        bodies = state[name].belonging("customer", customer["id"])[::-1]
        live = [body for body in bodies if body.get("status") not in _ENDED]
        return short_list(live, url=f"/v1/customers/{customer['id']}/{name}s")

    return found


_ENDED: Final = frozenset({"canceled", "incomplete_expired"})
LOOKUPS: Final[Mapping[tuple[str, str], Lookup]] = {
    ("charge", "invoice"): _invoice_of_charge,
    ("invoice", "charge"): _charge_of_invoice,
    ("invoice", "payment_intent"): _payment_intent,
    ("invoiceitem", "plan"): _plan,
    ("line_item", "plan"): _plan,
    ("payment_intent", "charges"): _charges,
    ("payment_intent", "invoice"): _invoice_of_intent,
}
"""By object name and removed field."""
SENT_UNTIL: Final[Mapping[str, Mapping[str, tuple[str, Lookup]]]] = {
    "charge": {"refunds": ("2022-11-15", _refunds)},
    "customer": {
        "sources": (
            "2020-08-27",
            lambda _state, body: empty_list(f"/v1/customers/{body['id']}/sources"),
        ),
        "subscriptions": ("2020-08-27", _of_customer("subscription")),
        "tax_ids": ("2020-08-27", _of_customer("tax_id")),
    },
}
"""By object name and field: lists that versions older than that sent unasked."""
