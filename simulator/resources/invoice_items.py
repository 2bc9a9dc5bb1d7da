"""Invoice items: amounts that wait for a customer's next invoice."""

from simulator.errors import Refused, missing_parameter
from simulator.parameters import (
    anything,
    array,
    boolean,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import CREATED, Filter, Resource, changes, equals, fresh, in_range
from simulator.resources.invoice_lines import amount_of_price, line_of_invoice_item
from simulator.resources.invoice_states import show_lines
from simulator.session import Session
from simulator.state import Body

_UPDATABLE = {
    "amount": integer,
    "description": text,
    "discountable": boolean,
    "discounts": array(anything),
    "metadata": metadata,
    "period": record({"end": integer, "start": integer}),
    "quantity": integer,
    "tax_rates": array(text),
    "unit_amount_decimal": text,
}


def _create(session: Session, given: Body) -> Body:
    customer = session.get("customer", given["customer"], parameter="customer")
    named = (given.pop("pricing", None) or {}).get("price")
    subscription = given.pop("subscription", None)
    each = given.pop("unit_amount_decimal", None)
    given.pop("discounts", None)
    body = fresh(session, INVOICEITEM, given)
    body |= {
        "currency": (given.get("currency") or customer["currency"] or "usd").lower(),
        "date": session.now,
        "period": given.get("period") or {"end": session.now, "start": session.now},
        "quantity_decimal": str(body["quantity"]),
    }
    if named is not None:
        body |= _priced(session, named, quantity=body["quantity"])
    elif each is not None:
        body["amount"] = round(float(each) * body["quantity"])
        body["pricing"] = _pricing(each)
    elif given.get("amount") is None:
        raise missing_parameter("amount")
    else:
        body["pricing"] = _pricing(str(body["amount"]))
    body["net_amount"] = body["amount"]
    if subscription is not None:
        found = session.get("subscription", subscription, parameter="subscription")
        details = {"subscription": found["id"], "subscription_item": None}
        body["parent"] = {"subscription_details": details, "type": "subscription_details"}
    session.add(body, event="invoiceitem.created")
    if body["invoice"] is not None:
        _put_on_invoice(session, body)
    return body


def _put_on_invoice(session: Session, body: Body) -> None:
    invoice = session.get("invoice", body["invoice"], parameter="invoice")
    if invoice["status"] != "draft":
        raise Refused(f"Invoice {invoice['id']} is not a draft.", parameter="invoice")
    line_of_invoice_item(session, body, invoice=invoice["id"])
    show_lines(session, invoice, event="invoice.updated")


def _priced(session: Session, identifier: str, *, quantity: int) -> Body:
    price = session.get("price", identifier, parameter="pricing[price]")
    if price["type"] != "one_time":
        raise Refused(
            "The price specified is set to `type=recurring` but this field only accepts prices "
            "with `type=one_time`.",
            parameter="pricing[price]",
        )
    details = {"price": price["id"], "product": price["product"]}
    return {
        "amount": amount_of_price(session, price, quantity=quantity),
        "currency": price["currency"],
        "pricing": {**_pricing(price["unit_amount_decimal"]), "price_details": details},
    }


def _pricing(each: str | None) -> Body:
    return {"price_details": None, "type": "price_details", "unit_amount_decimal": each}


def _check_open(session: Session, body: Body) -> None:
    invoice = session.find("invoice", body["invoice"]) if body["invoice"] else None
    if invoice is not None and invoice["status"] != "draft":
        raise Refused(f"Invoice item {body['id']} is on an invoice that is no longer a draft.")


def _update(session: Session, body: Body, given: Body) -> Body:
    _check_open(session, body)
    given.pop("discounts", None)
    given.pop("unit_amount_decimal", None)
    changed = session.change(body, changes(body, given))
    for line in _lines(session, changed):
        kept = ("amount", "description", "discountable", "metadata", "period")
        made = {name: changed[name] for name in kept}
        session.change(line, {**made, "subtotal": changed["amount"]})
        show_lines(session, session.get("invoice", line["invoice"]), event="invoice.updated")
    return changed


def _delete(session: Session, body: Body, _given: Body) -> Body:
    _check_open(session, body)
    for line in _lines(session, body):
        session.remove(line)
        show_lines(session, session.get("invoice", line["invoice"]), event="invoice.updated")
    return session.remove(body, event="invoiceitem.deleted")


def _lines(session: Session, body: Body) -> list[Body]:
    if body["invoice"] is None:
        return []
    lines = session.belonging("line_item", "invoice", body["invoice"])
    return [
        line
        for line in lines
        if (line["parent"]["invoice_item_details"] or {}).get("invoice_item") == body["id"]
    ]


INVOICEITEM = Resource(
    name="invoiceitem",
    path="invoiceitems",
    prefix="ii_",
    blank={
        "amount": 0,
        "currency": None,
        "customer": None,
        "customer_account": None,
        "date": 0,
        "description": None,
        "discountable": True,
        "discounts": [],
        "frozen_fields": None,
        "invoice": None,
        "invoicing_rules": None,
        "livemode": False,
        "metadata": {},
        "net_amount": 0,
        "parent": None,
        "period": None,
        "pricing": None,
        "proration": False,
        "proration_details": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "tax_rates": [],
        "test_clock": None,
    },
    create=_create,
    creatable={
        **_UPDATABLE,
        "currency": text,
        "customer": text,
        "invoice": text,
        "pricing": record({"price": text}),
        "subscription": text,
    },
    required=("customer",),
    update=_update,
    updatable=_UPDATABLE,
    delete=_delete,
    filters={
        "created": Filter(
            parser=CREATED["created"].parser,
            keeps=lambda body, asked: in_range(body["date"], asked),
        ),
        "customer": equals("customer"),
        "invoice": equals("invoice"),
        "pending": Filter(
            parser=boolean, keeps=lambda body, asked: (body["invoice"] is None) is asked
        ),
    },
    references={"customer": "customer", "discounts": "discount", "invoice": "invoice"},
)
