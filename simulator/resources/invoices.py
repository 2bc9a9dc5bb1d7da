"""Invoices: made by hand, finalized, paid, sent, voided, written off."""

from dataclasses import replace

from simulator.errors import Refused, declined, missing_parameter
from simulator.parameters import (
    anything,
    array,
    boolean,
    choice,
    integer,
    metadata,
    record,
    text,
)
from simulator.resource import CREATED, Action, Filter, changes, equals, within
from simulator.resources.discounts import discount_parameters, discounts_for
from simulator.resources.invoice_lines import line_of_invoice_item
from simulator.resources.invoice_payments import open_payment
from simulator.resources.invoice_shape import INVOICE_SHAPE
from simulator.resources.invoice_states import (
    advance_by_itself,
    collect,
    draft,
    finalize,
    mark_paid,
    show_lines,
    subscription_of,
    void,
    write_off,
)
from simulator.resources.payment_methods import payment_method_named
from simulator.resources.periods import DAY_SECONDS
from simulator.session import Session
from simulator.state import Body

_UPDATABLE = {
    "account_tax_ids": array(text),
    "application_fee_amount": integer,
    "auto_advance": boolean,
    "automatic_tax": record({"enabled": boolean, "liability": anything}),
    "collection_method": choice("charge_automatically", "send_invoice"),
    "custom_fields": array(record({"name": text, "value": text})),
    "days_until_due": integer,
    "default_payment_method": text,
    "default_source": text,
    "default_tax_rates": array(text),
    "description": text,
    "discounts": array(discount_parameters()),
    "due_date": integer,
    "effective_at": integer,
    "footer": text,
    "metadata": metadata,
    "number": text,
    "on_behalf_of": text,
    "payment_settings": record(
        {
            "default_mandate": text,
            "payment_method_options": anything,
            "payment_method_types": array(text),
        }
    ),
    "rendering": record({"amount_tax_display": text, "template": text}, whole=True),
    "statement_descriptor": text,
}
_AFTER_FINALIZING = frozenset(
    {"auto_advance", "default_payment_method", "default_source", "metadata", "payment_settings"}
)


def _create(session: Session, given: Body) -> Body:
    if given.get("customer") is None:
        raise missing_parameter("customer")
    customer = session.get("customer", given["customer"], parameter="customer")
    pending = given.pop("pending_invoice_items_behavior", "exclude")
    advances = given.pop("auto_advance", False)
    subscription = given.pop("subscription", None)
    given["currency"] = (given.get("currency") or customer["currency"] or "usd").lower()
    if subscription is not None:
        found = session.get("subscription", subscription, parameter="subscription")
        given["parent"] = parent_of(found)
    days, discounts = given.pop("days_until_due", None), given.pop("discounts", [])
    _due(session, given, days=days)
    given.pop("application_fee_amount", None)
    invoice = draft(session, customer, given, reason="manual")
    if discounts:
        made = {"discounts": discounts_for(session, discounts, owner=invoice)}
        invoice = session.change(invoice, made)
    if pending == "include":
        invoice = take_pending_items(session, invoice)
    if advances:
        invoice = advance_by_itself(session, invoice)
    session.say("invoice.created", invoice)
    return invoice


def parent_of(subscription: Body) -> Body:
    """An invoice's `parent` where it is for a subscription."""
    details = {
        "metadata": subscription["metadata"],
        "subscription": subscription["id"],
        "subscription_proration_date": None,
    }
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def take_pending_items(session: Session, invoice: Body) -> Body:
    """Put the customer's waiting invoice items on a draft."""
    for item in session.belonging("invoiceitem", "customer", invoice["customer"]):
        if item["invoice"] is None and item["currency"] == invoice["currency"]:
            taken = session.change(item, {"invoice": invoice["id"]})
            line_of_invoice_item(session, taken, invoice=invoice["id"])
    return show_lines(session, invoice)


def _due(session: Session, given: Body, *, days: int | None) -> None:
    sent = given.get("collection_method") == "send_invoice"
    if sent and days is None and given.get("due_date") is None:
        raise Refused(
            "If collection_method is send_invoice you must pass days_until_due or due_date.",
            parameter="days_until_due",
        )
    if days is not None:
        given["due_date"] = session.now + days * DAY_SECONDS


def _update(session: Session, invoice: Body, given: Body) -> Body:
    if invoice["status"] != "draft" and set(given) - _AFTER_FINALIZING:
        raise Refused(
            "Finalized invoices can't be updated in this way", code="invoice_not_editable"
        )
    given.pop("application_fee_amount", None)
    days = given.pop("days_until_due", None)
    if days is not None:
        given["due_date"] = session.now + days * DAY_SECONDS
    if "discounts" in given:
        given["discounts"] = discounts_for(session, given["discounts"], owner=invoice)
    advances = given.pop("auto_advance", None)
    made = changes(invoice, given)
    if advances is False:
        made |= {"auto_advance": False, "automatically_finalizes_at": None}
    changed = session.change(invoice, made, event="invoice.updated")
    if advances and invoice["status"] == "draft" and not invoice["auto_advance"]:
        changed = advance_by_itself(session, changed)
    return show_lines(session, changed) if "discounts" in given else changed


def _finalize(session: Session, invoice: Body, given: Body) -> Body:
    opened = finalize(session, invoice)
    if given.get("auto_advance") is not None and opened["status"] == "open":
        return session.change(opened, {"auto_advance": given["auto_advance"]})
    return opened


def _pay(session: Session, invoice: Body, given: Body) -> Body:
    if invoice["status"] == "draft":
        invoice = finalize(session, invoice)
        if invoice["status"] == "paid":
            return invoice
    if invoice["status"] == "paid":
        raise Refused("Invoice is already paid")
    if invoice["status"] not in {"open", "uncollectible"}:
        raise Refused(f"This invoice can't be paid: its status is {invoice['status']}.")
    if given.get("paid_out_of_band"):
        return mark_paid(session, invoice, out_of_band=True)
    method = method_for(session, invoice, named=given.get("payment_method"))
    if method is None:
        raise Refused(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set a "
            "`default_payment_method` and try again, or pay with another one.",
            code="invoice_payment_intent_requires_action",
        )
    paid = collect(session, invoice, method=method)
    if paid["status"] != "paid":
        raise refusal_of(session, paid)
    return paid


def method_for(session: Session, invoice: Body, *, named: str | None = None) -> Body | None:
    """The payment method that an invoice is paid with: named, its own, its subscription's, or
    its customer's."""
    if named is not None:
        return payment_method_named(session, named, parameter="payment_method")
    customer = session.find("customer", invoice["customer"]) or {}
    subscription = session.find("subscription", subscription_of(invoice) or "") or {}
    for identifier in (
        invoice["default_payment_method"],
        subscription.get("default_payment_method"),
        customer.get("invoice_settings", {}).get("default_payment_method"),
    ):
        found = session.find("payment_method", identifier) if identifier else None
        if found is not None:
            return found
    return None


def refusal_of(session: Session, invoice: Body, *, keeps_work: bool = True) -> Refused:
    """The refusal that says why an invoice could not be paid."""
    payment = open_payment(session, invoice)
    assert payment is not None
    intent = session.get("payment_intent", payment["payment"]["payment_intent"])
    failure = dict(intent["last_payment_error"])
    failure.pop("type")
    message = failure.pop("message")
    return declined(message, more=failure, keeps_work=keeps_work)


def _send(session: Session, invoice: Body, _given: Body) -> Body:
    if invoice["status"] == "draft":
        invoice = finalize(session, invoice)
    session.say("invoice.sent", invoice)
    return invoice


def _void(session: Session, invoice: Body, _given: Body) -> Body:
    if invoice["status"] not in {"open", "uncollectible"}:
        raise Refused(f"Only an open invoice can be voided; this one is {invoice['status']}.")
    return void(session, invoice)


def _write_off(session: Session, invoice: Body, _given: Body) -> Body:
    if invoice["status"] != "open":
        raise Refused(f"Only an open invoice can be written off; this one is {invoice['status']}.")
    return write_off(session, invoice)


def _delete(session: Session, invoice: Body, _given: Body) -> Body:
    if invoice["status"] != "draft" or subscription_of(invoice) is not None:
        raise Refused("You can only delete draft invoices that are not of a subscription.")
    for line in session.belonging("line_item", "invoice", invoice["id"]):
        session.remove(line)
    for item in session.belonging("invoiceitem", "invoice", invoice["id"]):
        session.remove(item, event="invoiceitem.deleted")
    return session.remove(invoice, event="invoice.deleted")


INVOICE = replace(
    INVOICE_SHAPE,
    create=_create,
    creatable={
        **_UPDATABLE,
        "currency": text,
        "customer": text,
        "pending_invoice_items_behavior": choice("exclude", "include"),
        "subscription": text,
    },
    update=_update,
    updatable=_UPDATABLE,
    delete=_delete,
    actions={
        "finalize": Action(run=_finalize, parameters={"auto_advance": boolean}),
        "mark_uncollectible": Action(run=_write_off),
        "pay": Action(
            run=_pay,
            parameters={
                "forgive": boolean,
                "mandate": text,
                "off_session": boolean,
                "paid_out_of_band": boolean,
                "payment_method": text,
                "source": text,
            },
        ),
        "send": Action(run=_send),
        "void": Action(run=_void),
    },
    filters={
        **CREATED,
        "collection_method": equals("collection_method"),
        "customer": equals("customer"),
        "due_date": within("due_date"),
        "status": equals("status"),
        "subscription": Filter(
            parser=text, keeps=lambda body, asked: subscription_of(body) == asked
        ),
    },
)
