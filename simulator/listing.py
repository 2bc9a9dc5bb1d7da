"""Lists as Stripe pages them: newest first, by cursors that are ids."""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from simulator.errors import Refused, no_such, wrong_parameter
from simulator.exchange import pretty
from simulator.form import Raw
from simulator.parameters import Parser, integer, parse, text
from simulator.resource import Filter, Resource, hides_nothing
from simulator.session import Session
from simulator.state import Body, Collection

LIMIT_DEFAULT = 10
LIMIT_MAX = 100

CURSORS: dict[str, Parser] = {"limit": integer, "starting_after": text, "ending_before": text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A page of a list, not yet rendered: as a body, or at once as the bytes of an answer."""

    collection: Collection
    identifiers: list[str]
    has_more: bool
    url: str

    def body(self) -> Body:
        """The page as JSON."""
        bodies = [self.collection.find(identifier) for identifier in self.identifiers]
        return {"object": "list", "data": bodies, "has_more": self.has_more, "url": self.url}

    def encoded(self) -> bytes:
        """What `pretty` makes of the body, without parsing what is kept as bytes."""
        if not self.identifiers:
            return pretty(self.body())
        elements = [self.collection.element(identifier) for identifier in self.identifiers]
        ending = pretty({"has_more": self.has_more, "url": self.url})[1:]
        data = b",\n    ".join(elements)
        return b'{\n  "object": "list",\n  "data": [\n    ' + data + b"\n  ]," + ending


def list_objects(
    session: Session, resource: Resource, raw: dict[str, Raw], *, url: str = ""
) -> Listed:
    """The page of `resource` that the parameters ask for.

    Raises:
        Refused: an unknown filter, a limit out of range, a cursor that does not exist.
    """
    parsers = {name: asked.parser for name, asked in resource.filters.items()}
    given = parse(raw, {**CURSORS, **parsers})
    asked = {name: given[name] for name in parsers if given.get(name) is not None}
    collection = session.world.state[resource.name]
    candidates = _candidates(collection, resource, given, asked)
    if resource.hides is not hides_nothing:
        # What hides an object is the same for all of a stock.
        candidates = (
            identifier
            for identifier in candidates
            if not resource.hides(session, collection.sketch(identifier), asked)
        )
    tests = _tests(resource, asked)
    if tests:
        candidates = (
            identifier
            for identifier in candidates
            if (body := collection.find(identifier)) is not None
            and all(test(body) for test in tests)
        )
    limit = _limit(given)
    found = list(islice(candidates, limit + 1))
    shown = found[:limit]
    if given.get("ending_before"):
        shown.reverse()
    return Listed(
        collection=collection,
        identifiers=shown,
        has_more=len(found) > limit,
        url=url or f"/v1/{resource.path}",
    )


def _tests(resource: Resource, asked: dict[str, Any]) -> list[Callable[[Body], bool]]:
    """What an object's body has to pass; nothing of what the index or the times answer."""
    indexed = _indexed(resource, asked)
    return [
        partial(_keeps, resource.filters[name], value)
        for name, value in asked.items()
        if name != indexed
    ]


def _keeps(asked: Filter, value: Any, body: Body) -> bool:
    return asked.keeps(body, value)


def _indexed(resource: Resource, asked: dict[str, Any]) -> str | None:
    """The asked filter that the index answers."""
    return next((name for name in asked if resource.filters[name].indexed), None)


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
    limit = _limit(given)
    shown = rest[:limit]
    if given.get("ending_before"):
        shown.reverse()
    return {"object": "list", "data": shown, "has_more": len(rest) > limit, "url": url}


def _candidates(
    collection: Collection, resource: Resource, given: Body, asked: dict[str, Any]
) -> Iterable[str]:
    cursor = _cursor(given)
    place = None
    if cursor is not None:
        place = collection.place(cursor[1])
        if place is None:
            raise no_such(resource.name, cursor[1], parameter=cursor[0])
    backwards = "ending_before" in given
    indexed = _indexed(resource, asked)
    if indexed is not None:
        members = collection.members(indexed, asked[indexed])
        return _around(collection, members, place=place, backwards=backwards)
    if backwards:
        return collection.ids_oldest_first(above=-1 if place is None else place)
    created = asked.get("created")
    return collection.ids_newest_first(
        below=_start(collection, place, created), down_to=_end(collection, created)
    )


def _around(
    collection: Collection, members: list[str], *, place: int | None, backwards: bool
) -> Iterable[str]:
    listed = [member for member in members if member not in collection.unlisted]
    if place is not None:
        at = bisect_left(listed, place, key=lambda member: collection.place(member) or 0)
        beside = at < len(listed) and collection.place(listed[at]) == place
        listed = listed[at + beside :] if backwards else listed[:at]
    return listed if backwards else reversed(listed)


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


def _end(collection: Collection, created: Any) -> int:
    """Skip what is older than the asked range."""
    if created is None:
        return 0
    if isinstance(created, int):
        return collection.first_place_after(created - 1)
    oldest = [
        created[bound] + (bound == "gt")
        for bound in ("gt", "gte")
        if created.get(bound) is not None
    ]
    return collection.first_place_after(max(oldest) - 1) if oldest else 0


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
