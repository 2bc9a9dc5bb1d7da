"""What happens when a moment in the agenda comes, if it still applies then."""

from typing import assert_never

from simulator.agenda import Due, Entry
from simulator.resources.billing import UPCOMING_BEFORE_SECONDS, renew
from simulator.resources.invoice_shape import INVOICE_SHAPE
from simulator.resources.invoice_states import collect, finalize, subscription_of, void, write_off
from simulator.resources.invoices import method_for, parent_of
from simulator.resources.subscription_states import LIVE, cancel, pause, update
from simulator.session import Session
from simulator.state import Body

RETRIES_MAX = 4


def happen(session: Session, entry: Entry) -> None:
    """Let an entry happen; one whose object has moved on is passed over."""
    match entry.due:
        case Due.INVOICE_FINALIZES | Due.PAYMENT_RETRIES | Due.INVOICE_OVERDUE:
            invoice = session.find("invoice", entry.identifier)
            if invoice is not None:
                _of_invoice(session, invoice, entry)
        case (
            Due.TRIAL_WILL_END
            | Due.TRIAL_ENDS
            | Due.INVOICE_UPCOMING
            | Due.PERIOD_ENDS
            | Due.CANCELS
            | Due.PAUSE_ENDS
            | Due.INCOMPLETE_EXPIRES
        ):
            subscription = session.find("subscription", entry.identifier)
            if subscription is not None and subscription["status"] in LIVE:
                _of_subscription(session, subscription, entry)
        case _:
            assert_never(entry.due)


def _of_invoice(session: Session, invoice: Body, entry: Entry) -> None:
    if entry.due is Due.INVOICE_FINALIZES:
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] == entry.at:
            _finalize(session, invoice)
    elif entry.due is Due.PAYMENT_RETRIES:
        if invoice["status"] == "open" and invoice["next_payment_attempt"] == entry.at:
            _retry(session, invoice)
    elif invoice["status"] == "open" and invoice["due_date"] == entry.at:
        session.say("invoice.overdue", invoice)


def _of_subscription(session: Session, subscription: Body, entry: Entry) -> None:  # noqa: C901
    status = subscription["status"]
    if entry.due is Due.TRIAL_WILL_END:
        if status == "trialing":
            session.say("customer.subscription.trial_will_end", subscription)
    elif entry.due is Due.TRIAL_ENDS:
        if status == "trialing" and subscription["trial_end"] == entry.at:
            _end_trial(session, subscription)
    elif entry.due is Due.INVOICE_UPCOMING:
        ends = min(item["current_period_end"] for item in subscription["items"]["data"])
        due = ends - UPCOMING_BEFORE_SECONDS == entry.at and subscription["cancel_at"] is None
        if due and status in {"active", "trialing"}:
            session.say("invoice.upcoming", _upcoming(session, subscription))
    elif entry.due is Due.PERIOD_ENDS:
        ends = min(item["current_period_end"] for item in subscription["items"]["data"])
        if status in {"active", "past_due"} and ends == entry.at != subscription["cancel_at"]:
            renew(session, subscription)
    elif entry.due is Due.CANCELS:
        if subscription["cancel_at"] == entry.at:
            cancel(session, subscription)
    elif entry.due is Due.PAUSE_ENDS:
        if (subscription["pause_collection"] or {}).get("resumes_at") == entry.at:
            update(session, subscription, {"pause_collection": None})
    elif status == "incomplete":
        _expire(session, subscription)


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


def _end_trial(session: Session, subscription: Body) -> None:
    if subscription["cancel_at"] == subscription["trial_end"]:
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


def _expire(session: Session, subscription: Body) -> None:
    invoice = session.find("invoice", subscription["latest_invoice"] or "")
    made = {"ended_at": session.now, "status": "incomplete_expired"}
    update(session, subscription, made)
    if invoice is not None and invoice["status"] == "open":
        void(session, invoice)
