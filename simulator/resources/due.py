"""What happens when a moment in the agenda comes, if it still applies then."""

from collections.abc import Callable
from typing import TypeAlias, assert_never

from simulator.agenda import Due, Entry
from simulator.resources.billing import UPCOMING_BEFORE_SECONDS, renew
from simulator.resources.invoice_shape import INVOICE_SHAPE
from simulator.resources.invoice_states import collect, finalize, subscription_of, void, write_off
from simulator.resources.invoices import method_for, parent_of
from simulator.resources.subscription_states import LIVE, cancel, pause, update
from simulator.session import Session
from simulator.state import Body

RETRIES_MAX = 4


Happening: TypeAlias = Callable[[Session, Body, Entry], None]
"""Takes the object as it is stored now, and the entry that was noted for it."""


def happen(session: Session, entry: Entry) -> None:
    """Let an entry happen; one whose object has moved on is passed over."""
    name, happening = _happening(entry.due)
    body = session.find(name, entry.identifier)
    if body is not None and (name != "subscription" or body["status"] in LIVE):
        happening(session, body, entry)


def _happening(due: Due) -> tuple[str, Happening]:
    match due:
        case Due.INVOICE_FINALIZES:
            return "invoice", _finalize_if_due
        case Due.PAYMENT_RETRIES:
            return "invoice", _retry_if_due
        case Due.INVOICE_OVERDUE:
            return "invoice", _say_overdue
        case Due.TRIAL_WILL_END:
            return "subscription", _say_trial_will_end
        case Due.TRIAL_ENDS:
            return "subscription", _end_trial
        case Due.INVOICE_UPCOMING:
            return "subscription", _say_upcoming
        case Due.PERIOD_ENDS:
            return "subscription", _renew_if_due
        case Due.CANCELS:
            return "subscription", _cancel_if_due
        case Due.PAUSE_ENDS:
            return "subscription", _end_pause
        case Due.INCOMPLETE_EXPIRES:
            return "subscription", _expire
        case _:
            assert_never(due)


def _finalize_if_due(session: Session, invoice: Body, entry: Entry) -> None:
    if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] == entry.at:
        _finalize(session, invoice)


def _retry_if_due(session: Session, invoice: Body, entry: Entry) -> None:
    if invoice["status"] == "open" and invoice["next_payment_attempt"] == entry.at:
        _retry(session, invoice)


def _say_overdue(session: Session, invoice: Body, entry: Entry) -> None:
    if invoice["status"] == "open" and invoice["due_date"] == entry.at:
        session.say("invoice.overdue", invoice)


def _say_trial_will_end(session: Session, subscription: Body, _entry: Entry) -> None:
    if subscription["status"] == "trialing":
        session.say("customer.subscription.trial_will_end", subscription)


def _say_upcoming(session: Session, subscription: Body, entry: Entry) -> None:
    due = _period_end(subscription) - UPCOMING_BEFORE_SECONDS == entry.at
    goes_on = subscription["status"] in {"active", "trialing"} and not subscription["cancel_at"]
    if due and goes_on:
        session.say("invoice.upcoming", _upcoming(session, subscription))


def _renew_if_due(session: Session, subscription: Body, entry: Entry) -> None:
    due = _period_end(subscription) == entry.at != subscription["cancel_at"]
    if due and subscription["status"] in {"active", "past_due"}:
        renew(session, subscription)


def _cancel_if_due(session: Session, subscription: Body, entry: Entry) -> None:
    if subscription["cancel_at"] == entry.at:
        cancel(session, subscription)


def _end_pause(session: Session, subscription: Body, entry: Entry) -> None:
    if (subscription["pause_collection"] or {}).get("resumes_at") == entry.at:
        update(session, subscription, {"pause_collection": None})


def _period_end(subscription: Body) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def _finalize(session: Session, invoice: Body) -> None:
    opened = finalize(session, invoice)
    subscription = session.find("subscription", subscription_of(opened) or "") or {}
    behavior = (subscription.get("pause_collection") or {}).get("behavior")
    if opened["status"] != "open":
        return
    if behavior == "void":
        void(session, opened)
    elif behavior == "mark_uncollectible":
        write_off(session, opened)
    elif opened["collection_method"] == "send_invoice":
        session.say("invoice.sent", opened)
    else:
        collect(session, opened, method=method_for(session, opened))


def _retry(session: Session, invoice: Body) -> None:
    tried = collect(session, invoice, method=method_for(session, invoice))
    subscription = session.find("subscription", subscription_of(tried) or "")
    given_up = tried["status"] == "open" and tried["attempt_count"] >= RETRIES_MAX
    if given_up and subscription is not None and subscription["status"] in LIVE:
        cancel(session, subscription, reason="payment_failed")


def _end_trial(session: Session, subscription: Body, entry: Entry) -> None:
    ended = subscription["status"] == "trialing" and subscription["trial_end"] == entry.at
    if not ended or subscription["cancel_at"] == entry.at:
        return
    customer = session.get("customer", subscription["customer"])
    method = (
        subscription["default_payment_method"]
        or customer["invoice_settings"]["default_payment_method"]
    )
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if method is None and behavior == "cancel":
        cancel(session, subscription, reason="payment_failed")
    elif method is None and behavior == "pause":
        pause(session, subscription)
    else:
        renew(session, subscription, status="active")


def _upcoming(session: Session, subscription: Body) -> Body:
    """The invoice to come: it has no id and is stored nowhere."""
    customer = session.get("customer", subscription["customer"])
    shown: Body = {
        "object": "invoice",
        **INVOICE_SHAPE.blank,
        "billing_reason": "upcoming",
        "created": session.now,
        "currency": subscription["currency"],
        "customer": customer["id"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "lines": {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices/upcoming"},
        "livemode": session.world.livemode,
        "parent": parent_of(subscription),
    }
    return shown


def _expire(session: Session, subscription: Body, _entry: Entry) -> None:
    if subscription["status"] != "incomplete":
        return
    invoice = session.find("invoice", subscription["latest_invoice"] or "")
    made = {"ended_at": session.now, "status": "incomplete_expired"}
    update(session, subscription, made)
    if invoice is not None and invoice["status"] == "open":
        void(session, invoice)
