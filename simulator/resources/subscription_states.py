"""How a subscription goes from one state to the next, each step with its event."""

from typing import Any

from simulator.embedded_lists import short_list
from simulator.resources.discounts import end_discount
from simulator.session import Session
from simulator.state import Body

LIVE = frozenset({"trialing", "active", "past_due", "unpaid", "paused", "incomplete"})


def update(session: Session, subscription: Body, made: Body) -> Body:
    """Change a subscription and say `customer.subscription.updated`."""
    return session.change(subscription, made, event="customer.subscription.updated")


def cancel(
    session: Session,
    subscription: Body,
    *,
    reason: str = "cancellation_requested",
    details: Body | None = None,
) -> Body:
    """End a subscription now; it goes on to exist with status `canceled`."""
    asked_at = subscription["canceled_at"] or session.now
    changed = session.change(
        subscription,
        {
            "cancellation_details": {
                **subscription["cancellation_details"],
                **(details or {}),
                "reason": reason,
            },
            "canceled_at": asked_at,
            "ended_at": session.now,
            "pause_collection": None,
            "status": "canceled",
        },
    )
    for discount in changed["discounts"]:
        end_discount(session, discount)
    session.say("customer.subscription.deleted", changed)
    return changed


def pause(session: Session, subscription: Body) -> Body:
    """A trial ended without a payment method and is to wait for one."""
    changed = update(session, subscription, {"status": "paused"})
    session.say("customer.subscription.paused", changed)
    return changed


def invoice_was_paid(session: Session, identifier: str) -> None:
    """An invoice of the subscription was paid: it is active again if that was what it lacked."""
    subscription = session.find("subscription", identifier)
    if subscription is not None and subscription["status"] in {"incomplete", "past_due", "unpaid"}:
        update(session, subscription, {"status": "active"})


def payment_failed(session: Session, identifier: str) -> None:
    """A renewal's invoice could not be paid."""
    subscription = session.find("subscription", identifier)
    if subscription is not None and subscription["status"] in {"active", "trialing"}:
        update(session, subscription, {"status": "past_due"})


def embedded_items(session: Session, identifier: str) -> dict[str, Any]:
    """The subscription's `items`, the first few of them."""
    items = session.belonging("subscription_item", "subscription", identifier)
    return short_list(items, url=f"/v1/subscription_items?subscription={identifier}")
