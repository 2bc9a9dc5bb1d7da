"""What happens when a moment in the agenda comes."""

from simulator.agenda import Due, Entry
from simulator.resources.billing import bill_now
from simulator.resources.subscription_states import cancel
from simulator.session import Session


def happen(session: Session, entry: Entry) -> None:
    """Let an entry happen, if it still applies."""
    subscription = session.find("subscription", entry.identifier)
    if subscription is None:
        return
    if entry.due is Due.TRIAL_WILL_END and subscription["status"] == "trialing":
        session.say("customer.subscription.trial_will_end", subscription)
    if (
        entry.due is Due.TRIAL_ENDS
        and subscription["trial_end"] == entry.at
        and subscription["status"] == "trialing"
    ):
        bill_now(session, subscription, before=subscription)
    if entry.due is Due.CANCELS and subscription["cancel_at"] == entry.at:
        cancel(session, subscription)
