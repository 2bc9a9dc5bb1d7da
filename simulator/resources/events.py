"""`/v1/events`: what happened in the last 30 days."""

from fnmatch import fnmatchcase

from simulator.errors import no_such, wrong_parameter
from simulator.events import RETENTION_SECONDS
from simulator.form import Raw
from simulator.listing import list_objects
from simulator.parameters import array, boolean, text
from simulator.resource import CREATED, Filter, Resource
from simulator.routing import Route
from simulator.session import Session
from simulator.state import Body

TYPES_MAX = 20


def _hides(session: Session, body: Body, asked: Body) -> bool:
    age = session.now - body["created"]
    lag = session.world.faults.plan.events_lag_seconds
    if age > RETENTION_SECONDS or (lag and age < lag):
        return True
    wished = asked.get("delivery_success")
    return wished is not None and wished is (body["id"] in session.world.undelivered)


EVENT = Resource(
    name="event",
    path="events",
    prefix="evt_",
    blank={},
    filters={
        **CREATED,
        "delivery_success": Filter(parser=boolean, keeps=lambda _body, _asked: True),
        "type": Filter(parser=text, keeps=lambda body, asked: fnmatchcase(body["type"], asked)),
        "types": Filter(
            parser=array(text, items_max=TYPES_MAX),
            keeps=lambda body, asked: body["type"] in asked,
        ),
    },
    hides=_hides,
)


def event_routes() -> list[Route]:
    """The two endpoints of events."""
    return [
        Route(method="GET", path="/v1/events", handler=_list),
        Route(method="GET", path="/v1/events/{id}", handler=_retrieve),
    ]


def _list(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
    if "type" in raw and "types" in raw:
        raise wrong_parameter("types", "You may pass either `type` or `types`, but not both.")
    listed = list_objects(session, EVENT, raw).body()
    return {**listed, "data": [_shown(session, event) for event in listed["data"]]}


def _retrieve(session: Session, ids: tuple[str, ...], _raw: dict[str, Raw]) -> Body:
    found = session.get("event", ids[0])
    if session.now - found["created"] > RETENTION_SECONDS:
        raise no_such("event", ids[0])
    return _shown(session, found)


def _shown(session: Session, event: Body) -> Body:
    return {**event, "pending_webhooks": len(session.world.undelivered.get(event["id"], ()))}
