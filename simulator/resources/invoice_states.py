"""How an invoice goes from draft to paid or void, each step with its events."""

from collections.abc import Mapping
from typing import Any

from simulator.agenda import Due
from simulator.errors import Refused
from simulator.resource import fresh
from simulator.resources.discounts import amount_of, end_discount, lasts_once
from simulator.resources.invoice_lines import lines_shown
from simulator.resources.invoice_payments import (
    ask_for_payment,
    open_payment,
    payment_cancelled,
    payment_paid,
)
from simulator.resources.invoice_shape import INVOICE_SHAPE
from simulator.resources.payment_intents import attempt, cancel_intent, make_intent
from simulator.resources.periods import DAY_SECONDS
from simulator.resources.subscription_states import invoice_was_paid, payment_failed
from simulator.session import Session
from simulator.state import Body

FINALIZES_AFTER_SECONDS = 3_600
RETRY_AFTER_DAYS = (3, 5, 7)


def draft(session: Session, customer: Body, given: Body, *, reason: str) -> Body:
    """Store a draft without lines; says no event."""
    body = fresh(session, INVOICE_SHAPE, given) | {
        "billing_reason": reason,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "period_end": given.get("period_end", session.now),
        "period_start": given.get("period_start", session.now),
    }
    body["lines"] = lines_shown(session, body["id"])
    return session.add(body)


def subscription_of(invoice: Body) -> str | None:
    """The subscription that an invoice is for."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    found: str | None = details.get("subscription")
    return found


def show_lines(session: Session, invoice: Body, *, event: str | None = None) -> Body:
    """Put the lines as they are now, and what they come to, into the invoice."""
    lines = session.belonging("line_item", "invoice", invoice["id"])
    subtotal = sum(line["amount"] for line in lines)
    left, taken = max(subtotal, 0), []
    for discount in invoice["discounts"]:
        off = amount_of(session, discount, subtotal=left)
        left -= off
        taken.append({"amount": off, "discount": discount})
    total = subtotal - sum(part["amount"] for part in taken)
    due = max(total, 0)
    return session.change(
        invoice,
        {
            "amount_due": due,
            "amount_remaining": due - invoice["amount_paid"],
            "lines": lines_shown(session, invoice["id"]),
            "subtotal": subtotal,
            "subtotal_excluding_tax": subtotal,
            "total": total,
            "total_discount_amounts": taken,
            "total_excluding_tax": total,
        },
        event=event,
    )


def advance_by_itself(session: Session, invoice: Body) -> Body:
    """Let a draft be finalized in an hour."""
    at = session.now + FINALIZES_AFTER_SECONDS
    session.note(at=at, due=Due.INVOICE_FINALIZES, identifier=invoice["id"])
    return session.change(invoice, {"auto_advance": True, "automatically_finalizes_at": at})


def finalize(session: Session, invoice: Body) -> Body:
    """Open a draft: it gets its number and asks for payment; one of nothing is paid at once."""
    if invoice["status"] != "draft":
        raise Refused(
            f"Invoice {invoice['id']} is not a draft: it cannot be finalized.",
            code="invoice_not_editable",
        )
    customer = session.get("customer", invoice["customer"])
    sequence = customer["next_invoice_sequence"]
    session.change(customer, {"next_invoice_sequence": sequence + 1})
    url = f"https://invoice.stripe.com/i/{invoice['id']}"
    made = {
        "attempted": invoice["amount_due"] == 0,
        "automatically_finalizes_at": None,
        "effective_at": session.now,
        "ending_balance": 0,
        "hosted_invoice_url": url,
        "invoice_pdf": f"{url}/pdf",
        "number": f"{customer['invoice_prefix']}-{sequence:04}",
        "status": "open",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": session.now},
    }
    if invoice["due_date"] is None and invoice["collection_method"] == "send_invoice":
        days = session.world.aside.get(invoice["id"], {}).get("days_until_due") or 30
        made["due_date"] = session.now + days * DAY_SECONDS
    opened = session.change(invoice, made)
    if opened["due_date"] is not None:
        session.note(at=opened["due_date"], due=Due.INVOICE_OVERDUE, identifier=opened["id"])
    for discount in opened["discounts"]:
        if lasts_once(session, discount):
            _end_once(session, opened, discount)
    session.say("invoice.finalized", opened)
    if opened["amount_due"] == 0:
        return mark_paid(session, opened)
    intent = make_intent(
        session,
        {
            "amount": opened["amount_due"],
            "currency": opened["currency"],
            "customer": opened["customer"],
            "description": "Subscription update" if subscription_of(opened) else "Invoice",
        },
    )
    ask_for_payment(session, opened, intent=intent["id"])
    return opened


def collect(session: Session, invoice: Body, *, method: Body | None) -> Body:
    """Try to pay an open invoice; a failure is seen in its `status` and in the intent."""
    tried = {"attempt_count": invoice["attempt_count"] + 1, "attempted": True}
    payment = open_payment(session, invoice)
    assert payment is not None
    intent = session.get("payment_intent", payment["payment"]["payment_intent"])
    if method is not None:
        intent = attempt(session, intent, method)
        if intent["status"] == "succeeded":
            return mark_paid(session, invoice, more=tried)
    attempts = tried["attempt_count"]
    retry_at = None
    if invoice["auto_advance"] and attempts <= len(RETRY_AFTER_DAYS):
        retry_at = session.now + RETRY_AFTER_DAYS[attempts - 1] * DAY_SECONDS
        session.note(at=retry_at, due=Due.PAYMENT_RETRIES, identifier=invoice["id"])
    failed = session.change(
        invoice, {**tried, "next_payment_attempt": retry_at}, event="invoice.updated"
    )
    session.say("invoice.payment_failed", failed)
    subscription = subscription_of(failed)
    if subscription is not None:
        payment_failed(session, subscription)
    return failed


def mark_paid(
    session: Session,
    invoice: Body,
    *,
    out_of_band: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Body:
    """An open invoice is paid; `more` also changed, said in the same event."""
    payment = open_payment(session, invoice)
    if payment is not None and out_of_band:
        _give_up_payment(session, payment, reason="automatic")
    elif payment is not None:
        payment_paid(session, payment)
    paid = session.change(
        invoice,
        {
            **(more or {}),
            "amount_paid": 0 if out_of_band else invoice["amount_due"],
            "amount_paid_off_stripe": invoice["amount_due"] if out_of_band else 0,
            "amount_remaining": 0,
            "attempted": True,
            "auto_advance": False,
            "next_payment_attempt": None,
            "status": "paid",
            "status_transitions": {**invoice["status_transitions"], "paid_at": session.now},
        },
        event="invoice.updated",
    )
    session.say("invoice.paid", paid)
    session.say("invoice.payment_succeeded", paid)
    subscription = subscription_of(paid)
    if subscription is not None:
        invoice_was_paid(session, subscription)
    return paid


def void(session: Session, invoice: Body) -> Body:
    """Cancel an open invoice; it stays, with status `void`."""
    return _close(session, invoice, status="void", at="voided_at", event="invoice.voided")


def write_off(session: Session, invoice: Body) -> Body:
    """Give an open invoice up; it can still be paid."""
    return _close(
        session,
        invoice,
        status="uncollectible",
        at="marked_uncollectible_at",
        event="invoice.marked_uncollectible",
    )


def _close(session: Session, invoice: Body, *, status: str, at: str, event: str) -> Body:
    made: dict[str, Any] = {
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": status,
        "status_transitions": {**invoice["status_transitions"], at: session.now},
    }
    payment = open_payment(session, invoice)
    if payment is not None and status == "void":
        _give_up_payment(session, payment, reason="void_invoice")
    closed = session.change(invoice, made, event="invoice.updated")
    session.say(event, closed)
    return closed


def _give_up_payment(session: Session, payment: Body, *, reason: str) -> None:
    payment_cancelled(session, payment)
    intent = session.get("payment_intent", payment["payment"]["payment_intent"])
    cancel_intent(session, intent, reason=reason)


def _end_once(session: Session, invoice: Body, discount: str) -> None:
    """A discount for one invoice leaves its subscription; the invoice keeps its id."""
    identifier = subscription_of(invoice)
    subscription = session.find("subscription", identifier) if identifier else None
    if subscription is not None and discount in subscription["discounts"]:
        left = [other for other in subscription["discounts"] if other != discount]
        session.change(subscription, {"discounts": left})
        end_discount(session, discount)
