"""Customers."""

from simulator.embedded_lists import short_list
from simulator.parameters import (
    ADDRESS,
    SHIPPING,
    array,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import CREATED, Resource, changes, equals, fresh
from simulator.resources.payment_methods import attach, payment_method_named
from simulator.resources.subscription_states import cancel
from simulator.session import Session
from simulator.state import Body

_WRITABLE = {
    "address": ADDRESS,
    "balance": integer,
    "business_name": text,
    "default_source": text,
    "description": text,
    "email": text,
    "individual_name": text,
    "invoice_prefix": text,
    "invoice_settings": record(
        {
            "custom_fields": array(record({"name": text, "value": text})),
            "default_payment_method": text,
            "footer": text,
            "rendering_options": record({"amount_tax_display": text, "template": text}),
        }
    ),
    "metadata": metadata,
    "name": text,
    "next_invoice_sequence": integer,
    "phone": text,
    "preferred_locales": array(text),
    "shipping": SHIPPING,
    "tax_exempt": choice("none", "exempt", "reverse"),
}


def _create(session: Session, given: Body) -> Body:
    method = None
    if given.get("payment_method") is not None:
        name = given.pop("payment_method")
        method = payment_method_named(session, name, parameter="payment_method")
        settings = given.get("invoice_settings") or {}
        if settings.get("default_payment_method") == name:
            given["invoice_settings"] = {**settings, "default_payment_method": method["id"]}
    body = fresh(session, CUSTOMER, given)
    if not body["invoice_prefix"]:
        body["invoice_prefix"] = session.world.identifiers.code()
    _check_default(session, body)
    session.add(body, event="customer.created")
    if method is not None:
        attach(session, method, {"customer": body["id"]})
    return body


def _update(session: Session, body: Body, given: Body) -> Body:
    changed = session.change(body, changes(body, given), event="customer.updated")
    _check_default(session, changed)
    return changed


def _check_default(session: Session, body: Body) -> None:
    chosen = body["invoice_settings"]["default_payment_method"]
    if chosen is not None:
        session.get(
            "payment_method",
            chosen,
            parameter="invoice_settings[default_payment_method]",
        )


def _delete(session: Session, body: Body, _given: Body) -> Body:
    for subscription in session.belonging("subscription", "customer", body["id"]):
        if subscription["status"] not in {"canceled", "incomplete_expired"}:
            cancel(session, subscription)
    for method in session.belonging("payment_method", "customer", body["id"]):
        session.change(method, {"customer": None})
    return session.remove(body, event="customer.deleted")


def _subscriptions(session: Session, body: Body) -> Body:
    url = f"/v1/customers/{body['id']}/subscriptions"
    live = [
        subscription
        for subscription in reversed(session.belonging("subscription", "customer", body["id"]))
        if subscription["status"] not in {"canceled", "incomplete_expired"}
    ]
    return short_list(live, url=url)


CUSTOMER = Resource(
    name="customer",
    path="customers",
    prefix="cus_",
    length=14,
    blank={
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": 0,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": None,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    },
    create=_create,
    creatable={**_WRITABLE, "payment_method": text},
    update=_update,
    updatable=_WRITABLE,
    delete=_delete,
    filters={**CREATED, "email": equals("email")},
    references={
        "default_source": "source",
        "invoice_settings.default_payment_method": "payment_method",
        "test_clock": "test_helpers.test_clock",
    },
    included={
        "cash_balance": lambda _session, _body: None,
        "invoice_credit_balance": lambda _session, _body: {},
        "subscriptions": _subscriptions,
        "tax": lambda _session, _body: {
            "automatic_tax": "unrecognized_location",
            "ip_address": None,
            "location": None,
            "provider": "stripe",
        },
    },
)
