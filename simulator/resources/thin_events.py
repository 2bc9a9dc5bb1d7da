"""`/v2/core/events`: the thin events of the last 30 days."""

from typing import Any
from urllib.parse import urlencode

from simulator.errors import no_such
from simulator.events import RETENTION_SECONDS
from simulator.form import Raw
from simulator.parameters import array, integer, parse, record, text
from simulator.routing import Route
from simulator.session import Session
from simulator.state import Body
from simulator.thin import OBJECT, instant

PATH = "/v2/core/events"
LIMIT_DEFAULT = 20
LIMIT_MAX = 100
TYPES_MAX = 20

_BOUNDS = ("gt", "gte", "lt", "lte")
_FILTERS = {
    "created": record(dict.fromkeys(_BOUNDS, text)),
    "limit": integer,
    "object_id": text,
    "page": text,
    "types": array(text, items_max=TYPES_MAX),
}


def thin_event_routes() -> list[Route]:
    """The two endpoints of thin events."""
    return [
        Route(method="GET", path=PATH, handler=_list),
        Route(method="GET", path=PATH + "/{id}", handler=_retrieve),
    ]


def _retrieve(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    parse(raw, {})
    found = session.get(OBJECT, ids[0])
    if found["created"] < _oldest(session):
        raise no_such("event", ids[0])
    return found


def _list(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    given = parse(raw, _FILTERS)
    limit = min(given.get("limit") or LIMIT_DEFAULT, LIMIT_MAX)
    collection = session.world.state[OBJECT]
    below = collection.place(given["page"]) if given.get("page") else None
    found: list[Body] = []
    for event in collection.newest_first(until=below):
        if event["created"] < _oldest(session) or len(found) > limit:
            break
        if _keeps(event, given):
            found.append(event)
    more = _next(found[limit - 1]["id"], limit, raw) if len(found) > limit else None
    return {"data": found[:limit], "next_page_url": more, "previous_page_url": None}


def _next(page: str, limit: int, raw: dict[str, Raw]) -> str:
    """Where the next page is, with the filters of this one."""
    asked = [("limit", str(limit)), ("page", page)]
    for name, value in raw.items():
        if isinstance(value, dict):
            asked += [(f"{name}[{key}]", str(inner)) for key, inner in value.items()]
        elif name not in {"limit", "page"}:
            asked.append((name, value))
    return f"{PATH}?{urlencode(asked)}"


def _keeps(event: Body, given: dict[str, Any]) -> bool:
    kinds, subject = given.get("types"), given.get("object_id")
    return (
        (not kinds or event["type"] in kinds)
        and (not subject or event.get("related_object", {}).get("id") == subject)
        and _in_time(event["created"], given.get("created") or {})
    )


def _in_time(created: str, bounds: dict[str, str]) -> bool:
    """Whether a time lies within bounds that are written as it is."""
    return (
        created > bounds.get("gt", "")
        and created >= bounds.get("gte", "")
        and created < bounds.get("lt", "~")
        and created <= bounds.get("lte", "~")
    )


def _oldest(session: Session) -> str:
    return instant((session.now - RETENTION_SECONDS) * 1_000)
