"""Something that happened, in all the shapes in which it is told."""

from dataclasses import dataclass

from simulator.endpoints import Payload
from simulator.state import Body, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One change, and the events that tell it.

    Args:
        account: whose change it is; empty for the platform.
        state: the objects of that account, as they are by now.
        subject: the object as it was right after the change, in the newest shape.
        before: the same right before it, where it is known whole.
        previous: what the change replaced, where anything.
        snapshot: the event as `/v1/events` lists it; None where only a thin one tells it.
        thin: the event as `/v2/core/events` lists it; None where Stripe has none of its type.
    """

    account: str
    state: State
    subject: Body
    before: Body | None
    previous: Body | None
    snapshot: Body | None
    thin: Body | None

    def event(self, payload: Payload) -> Body | None:
        """The event of that style."""
        return self.thin if payload is Payload.THIN else self.snapshot
