"""Objects and events in the shape of the API version that was asked for."""

from typing import Any

from simulator.events import API_VERSION, previous_attributes
from simulator.older import older
from simulator.said import Said
from simulator.state import Body, State

UNCHANGING = frozenset({"event", "v2.core.event"})
"""What is shown in the version in which it was made, whatever version asks for it."""


def event_in(said: Said, version: str) -> Body:
    """The snapshot event in a version; an empty one is that of the event as it is listed."""
    event = said.snapshot
    assert event is not None
    if version in ("", event["api_version"]):
        return event
    data = event_data(
        said.subject,
        before=said.before,
        previous=said.previous,
        version=version,
        state=said.state,
    )
    return {**event, "api_version": version, "data": data}


def event_data(
    subject: Body, *, before: Body | None, previous: Body | None, version: str, state: State
) -> Body:
    """What an event of a version says: the object, and what the change replaced.

    Args:
        subject: the object after the change, in the newest shape.
        before: the same right before it, where it is known whole.
        previous: what the change replaced, in the newest shape.
        version: the version of the event.
        state: the account's objects.
    """
    shown = rendered(subject, version, state)
    if before is not None and not is_newest(version):
        previous = previous_attributes(rendered(before, version, state), shown)
    data = {"object": shown}
    return data if previous is None else {**data, "previous_attributes": previous}


def is_newest(version: str) -> bool:
    """Whether a version's shape is the one in which objects are stored."""
    return version == API_VERSION


def rendered(body: Any, version: str, state: State) -> Any:
    """A body, or a list of some, in the shape of a version, with all that is inside it."""
    if is_newest(version):
        return body
    if isinstance(body, list):
        return [rendered(one, version, state) for one in body]
    if not isinstance(body, dict) or body.get("object") in UNCHANGING:
        return body
    if isinstance(body.get("object"), str) and not body.get("deleted"):
        body = older(body, version, state)
    return {name: rendered(value, version, state) for name, value in body.items()}
