"""Objects in the shape of the API version that was asked for."""

from typing import Any

from simulator.events import API_VERSION, previous_attributes
from simulator.said import Said
from simulator.state import Body


def event_in(said: Said, version: str) -> Body:
    """The snapshot event in a version; an empty one is that of the event as it is listed."""
    event = said.snapshot
    assert event is not None
    if version in ("", event["api_version"]):
        return event
    data = event_data(said.subject, before=said.before, previous=said.previous, version=version)
    return {**event, "api_version": version, "data": data}


def event_data(subject: Body, *, before: Body | None, previous: Body | None, version: str) -> Body:
    """What an event of a version says: the object, and what the change replaced.

    Args:
        subject: the object after the change, in the newest shape.
        before: the same right before it, where it is known whole.
        previous: what the change replaced, in the newest shape.
        version: the version of the event.
    """
    shown = rendered(subject, version)
    if before is not None and shown is not subject:
        previous = previous_attributes(rendered(before, version), shown)
    data = {"object": shown}
    return data if previous is None else {**data, "previous_attributes": previous}


def is_newest(version: str) -> bool:
    """Whether a version's shape is the one in which objects are stored."""
    return version == API_VERSION


def rendered(body: Any, version: str) -> Any:
    """A body in the shape of a version; the very same where that is the shape it has."""
    if is_newest(version):
        return body
    return body
