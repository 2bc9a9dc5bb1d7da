"""When a subscription is billed: at its start, at a trial's end, at each renewal."""

from collections.abc import Mapping
from typing import Any

from simulator.agenda import Due
from simulator.errors import Refused
from simulator.resources.invoice_lines import line_of_subscription_item
from simulator.resources.invoice_states import (
    advance_by_itself,
    collect,
    draft,
    finalize,
    show_lines,
)
from simulator.resources.invoices import method_for, parent_of, refusal_of, take_pending_items
from simulator.resources.periods import DAY_SECONDS
from simulator.resources.subscription_items import end_of_period
from simulator.resources.subscription_states import embedded_items, update
from simulator.session import Session
from simulator.state import Body

INCOMPLETE_EXPIRES_AFTER_SECONDS = 23 * 3_600
UPCOMING_BEFORE_SECONDS = 7 * DAY_SECONDS


def begin(session: Session, subscription: Body, customer: Body, *, behavior: str | None) -> Body:
    """Bill a subscription that was just made, and say that it was made.

    Raises:
        Refused: nothing to pay with, or the card was declined and that is to be an error.
    """
    invoice = _invoice(session, subscription, customer, reason="subscription_create")
    sent = subscription["collection_method"] == "send_invoice"
    owed = invoice["amount_due"] > 0 and not sent
    status = "incomplete" if owed else subscription["status"]
    made = session.change(subscription, {"latest_invoice": invoice["id"], "status": status})
    session.say("customer.subscription.created", made)
    session.say("invoice.created", invoice)
    if sent:
        advance_by_itself(session, invoice)
    elif behavior == "default_incomplete" or not owed:
        finalize(session, invoice)
    else:
        _pay_first(session, invoice, behavior=behavior)
    _note_period(session, made)
    if status == "incomplete":
        expires = session.now + INCOMPLETE_EXPIRES_AFTER_SECONDS
        session.note(at=expires, due=Due.INCOMPLETE_EXPIRES, identifier=made["id"])
    return session.get("subscription", made["id"])


def renew(session: Session, subscription: Body, *, status: str = "") -> Body:
    """Begin the next period of a subscription, with a draft that is finalized in an hour.

    `status` is its new status; empty leaves it as it is.
    """
    more = {"status": status or subscription["status"]}
    for item in session.belonging("subscription_item", "subscription", subscription["id"]):
        start = item["current_period_end"]
        anchor = subscription["billing_cycle_anchor"]
        end = end_of_period(item["price"], anchor=anchor, start=start)
        session.change(item, {"current_period_end": end, "current_period_start": start})
    return _bill(session, subscription, reason="subscription_cycle", more=more)


def bill_now(session: Session, subscription: Body, made: Mapping[str, Any]) -> Body:
    """Begin a period now and bill it at once: a trial or a pause was ended by request.

    Args:
        session: where it happens.
        subscription: as stored.
        made: what else the request changed, said in the same event.
    """
    for item in session.belonging("subscription_item", "subscription", subscription["id"]):
        end = end_of_period(item["price"], anchor=session.now, start=session.now)
        session.change(item, {"current_period_end": end, "current_period_start": session.now})
    more = {**made, "billing_cycle_anchor": session.now, "status": "active"}
    billed = _bill(session, subscription, reason="subscription_update", more=more)
    invoice = session.get("invoice", billed["latest_invoice"])
    if invoice["status"] == "draft" and billed["collection_method"] != "send_invoice":
        opened = finalize(session, invoice)
        if opened["status"] == "open":
            collect(session, opened, method=method_for(session, opened))
    return session.get("subscription", billed["id"])


def _bill(session: Session, subscription: Body, *, reason: str, more: Mapping[str, Any]) -> Body:
    customer = session.get("customer", subscription["customer"])
    invoice = _invoice(session, subscription, customer, reason=reason)
    paused = subscription["pause_collection"] or {}
    if paused.get("behavior") != "keep_as_draft":
        invoice = advance_by_itself(session, invoice)
    items = embedded_items(session, subscription["id"])
    made = {**more, "items": items, "latest_invoice": invoice["id"]}
    changed = update(session, subscription, made)
    session.say("invoice.created", invoice)
    _note_period(session, changed)
    return changed


def _invoice(session: Session, subscription: Body, customer: Body, *, reason: str) -> Body:
    items = session.belonging("subscription_item", "subscription", subscription["id"])
    invoice = draft(
        session,
        customer,
        {
            "collection_method": subscription["collection_method"],
            "currency": subscription["currency"],
            "default_payment_method": subscription["default_payment_method"],
            "discounts": list(subscription["discounts"]),
            "parent": parent_of(subscription),
            "period_end": min(item["current_period_end"] for item in items),
            "period_start": max(item["current_period_start"] for item in items),
        },
        reason=reason,
    )
    if subscription["days_until_due"] is not None:
        due = {"days_until_due": subscription["days_until_due"]}
        session.world.aside[invoice["id"]] = due
    for item in items:
        line_of_subscription_item(
            session,
            item,
            invoice=invoice["id"],
            start=item["current_period_start"],
            end=item["current_period_end"],
            free=subscription["status"] == "trialing" and reason == "subscription_create",
        )
    return take_pending_items(session, show_lines(session, invoice))


def _pay_first(session: Session, invoice: Body, *, behavior: str | None) -> None:
    method = method_for(session, invoice)
    if method is None:
        raise Refused(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    tried = collect(session, finalize(session, invoice), method=method)
    if tried["status"] != "paid" and behavior == "error_if_incomplete":
        raise refusal_of(session, tried, keeps_work=False)


def _note_period(session: Session, subscription: Body) -> None:
    """Put the renewal into the agenda; a trial's end is noted with the trial."""
    items = session.belonging("subscription_item", "subscription", subscription["id"])
    end = min(item["current_period_end"] for item in items)
    if subscription["status"] != "trialing":
        session.note(at=end, due=Due.PERIOD_ENDS, identifier=subscription["id"])
    if end - UPCOMING_BEFORE_SECONDS > session.now:
        session.note(
            at=end - UPCOMING_BEFORE_SECONDS,
            due=Due.INVOICE_UPCOMING,
            identifier=subscription["id"],
        )
