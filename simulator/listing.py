"""Lists as Stripe pages them: newest first, by cursors that are ids."""

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
    """What an object's body has to pass; nothing of what order and index answer."""
    indexed = _indexed(resource, asked)
    return [
        partial(_keeps, resource.filters[name], value)
        for name, value in asked.items()
        if name != indexed and not resource.filters[name].by_order
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
    """The ids of what the cursor, the times and the index leave, in the order of the list."""
    times = next((asked[name] for name in asked if resource.filters[name].by_order), None)
    since, until = _places(collection, times)
    backwards = "ending_before" in given
    cursor = _cursor(given)
    if cursor is not None:
        place = collection.place(cursor[1])
        if place is None:
            raise no_such(resource.name, cursor[1], parameter=cursor[0])
        since = max(since, place + 1) if backwards else since
        until = until if backwards else min(until, place)
    indexed = _indexed(resource, asked)
    if indexed is None:
        walk = collection.ids_oldest_first if backwards else collection.ids_newest_first
        return walk(since=since, until=until)
    members = collection.members(indexed, asked[indexed], since=since, until=until)
    listed = [member for member in members if member not in collection.unlisted]
    return listed if backwards else reversed(listed)


def _places(collection: Collection, times: Any) -> tuple[int, int]:
    """From which place to which stands what was created in the asked range."""
    if times is None or isinstance(times, int):
        return collection.places_between(times, times)
    first = [times[bound] + more for bound, more in (("gt", 1), ("gte", 0)) if bound in times]
    last = [times[bound] - less for bound, less in (("lt", 1), ("lte", 0)) if bound in times]
    return collection.places_between(max(first, default=None), min(last, default=None))


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
