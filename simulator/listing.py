"""Lists as Stripe pages them: newest first, by cursors that are ids."""

from collections.abc import Callable, Iterable
from typing import Any

from simulator.errors import Refused, no_such, wrong_parameter
from simulator.form import Raw
from simulator.parameters import Parser, integer, parse, text
from simulator.resource import Resource
from simulator.session import Session
from simulator.state import Body, Collection

LIMIT_DEFAULT = 10
LIMIT_MAX = 100

CURSORS: dict[str, Parser] = {"limit": integer, "starting_after": text, "ending_before": text}


def list_objects(session: Session, resource: Resource, raw: dict[str, Raw]) -> Body:
    """The page of `resource` that the parameters ask for.

    Raises:
        Refused: an unknown filter, a limit out of range, a cursor that does not exist.
    """
    parsers = {name: asked.parser for name, asked in resource.filters.items()}
    given = parse(raw, {**CURSORS, **parsers})
    asked = {name: given[name] for name in parsers if given.get(name) is not None}

    def keeps(body: Body) -> bool:
        return not resource.hides(session, body, asked) and all(
            resource.filters[name].keeps(body, value) for name, value in asked.items()
        )

    collection = session.world.state[resource.name]
    candidates = _candidates(collection, resource, given, asked)
    return page(candidates, given, keeps=keeps, url=f"/v1/{resource.path}")


def page(
    candidates: Iterable[Body], given: Body, *, keeps: Callable[[Body], bool], url: str
) -> Body:
    """One page out of candidates that already start beyond the cursor."""
    limit = _limit(given)
    found: list[Body] = []
    for body in candidates:
        if keeps(body):
            found.append(body)
            if len(found) > limit:
                break
    shown = found[:limit]
    if given.get("ending_before"):
        shown.reverse()
    return {"object": "list", "data": shown, "has_more": len(found) > limit, "url": url}


def page_of(bodies: list[Body], given: Body, *, name: str, url: str) -> Body:
    """One page of a list that is in its final order already, such as an invoice's lines."""
    places = {body["id"]: place for place, body in enumerate(bodies)}
    cursor = _cursor(given)
    if cursor is None:
        rest = bodies
    else:
        parameter, identifier = cursor
        if identifier not in places:
            raise no_such(name, identifier, parameter=parameter)
        place = places[identifier]
        backwards = parameter == "ending_before"
        rest = bodies[:place][::-1] if backwards else bodies[place + 1 :]
    return page(rest, given, keeps=lambda _body: True, url=url)


def _candidates(
    collection: Collection, resource: Resource, given: Body, asked: dict[str, Any]
) -> Iterable[Body]:
    cursor = _cursor(given)
    place = None
    if cursor is not None:
        place = collection.place(cursor[1])
        if place is None:
            raise no_such(resource.name, cursor[1], parameter=cursor[0])
    backwards = "ending_before" in given
    indexed = next((name for name in asked if resource.filters[name].indexed), None)
    if indexed is not None:
        return _members(collection, indexed, asked[indexed], place=place, backwards=backwards)
    if backwards:
        return collection.oldest_first(above=-1 if place is None else place)
    return collection.newest_first(below=_start(collection, place, asked.get("created")))


def _members(
    collection: Collection, field: str, value: str, *, place: int | None, backwards: bool
) -> list[Body]:
    members = [
        body
        for body in collection.belonging(field, value)
        if body["id"] not in collection.unlisted
    ]
    places = {body["id"]: collection.place(body["id"]) or 0 for body in members}
    members.sort(key=lambda body: places[body["id"]])
    if backwards:
        return [body for body in members if place is None or places[body["id"]] > place]
    return [body for body in reversed(members) if place is None or places[body["id"]] < place]


def _start(collection: Collection, place: int | None, created: Any) -> int | None:
    """Skip what is newer than the asked range, so that a window of a long list is found fast."""
    if created is None:
        return place
    newest = (
        created
        if isinstance(created, int)
        else min(
            (created[bound] for bound in ("lt", "lte") if created.get(bound) is not None),
            default=None,
        )
    )
    if newest is None:
        return place
    start = collection.first_place_after(newest)
    return start if place is None else min(start, place)


def _cursor(given: Body) -> tuple[str, str] | None:
    after, before = given.get("starting_after"), given.get("ending_before")
    if after and before:
        raise wrong_parameter(
            "starting_after", "You cannot parameterize both starting_after and ending_before."
        )
    if after:
        return "starting_after", after
    return ("ending_before", before) if before else None


def _limit(given: Body) -> int:
    limit = given.get("limit")
    if limit is None:
        return LIMIT_DEFAULT
    if not 1 <= limit <= LIMIT_MAX:
        fault = "greater than or equal to 1" if limit < 1 else "less than or equal to 100"
        raise Refused(
            f"This value must be {fault}.", code="parameter_invalid_integer", parameter="limit"
        )
    return int(limit)
