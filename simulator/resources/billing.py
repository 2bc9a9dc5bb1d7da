"""When a subscription is billed: at its start, at a trial's end, at each renewal."""

from simulator.resources.subscription_states import update
from simulator.session import Session
from simulator.state import Body


def begin(session: Session, subscription: Body, customer: Body, *, behavior: str | None) -> Body:
    """Bill a subscription that was just made."""
    session.say("customer.subscription.created", subscription)
    return subscription


def bill_now(session: Session, subscription: Body, *, before: Body) -> Body:
    """Bill a subscription whose trial or pause just ended."""
    return update(session, subscription, {"status": "active"})
