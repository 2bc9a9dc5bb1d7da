"""What a connected account may do, once it was asked for."""

from simulator.resource import Resource
from simulator.resources.account_shape import REQUIREMENTS
from simulator.session import Session
from simulator.state import Body


def request_capability(session: Session, name: str, *, requested: bool) -> Body:
    """Ask for a capability, or for it no more; it is granted at once."""
    before = session.find("capability", name)
    if before is None:
        before = {
            "id": name,
            "object": "capability",
            **CAPABILITY.blank,
            "account": session.world.account,
        }
        session.add(before)
    made = {
        "requested": requested,
        "requested_at": session.now if requested else None,
        "status": "active" if requested else "unrequested",
    }
    if made["status"] == before["status"]:
        return before
    return session.change(before, made, event="capability.updated")


CAPABILITY = Resource(
    name="capability",
    path="accounts/{id}/capabilities",
    prefix="",
    blank={
        "account": None,
        "future_requirements": REQUIREMENTS,
        "requested": False,
        "requested_at": None,
        "requirements": REQUIREMENTS,
        "status": "unrequested",
    },
    references={"account": "account"},
)
