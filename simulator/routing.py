"""From a method and a path to what is to be done; every resource's endpoints are built alike."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from simulator.errors import Refused
from simulator.form import Raw
from simulator.listing import Listed, list_objects
from simulator.parameters import parse
from simulator.resource import Action, Resource
from simulator.session import Session
from simulator.state import Body

Handler: TypeAlias = Callable[[Session, tuple[str, ...], dict[str, Raw]], Body | Listed]
"""Takes the ids in the path and the raw parameters (without `expand`)."""

PLACEHOLDER = "{id}"


def pattern(path: str) -> str:
    """An address whose names in braces are all placeholders."""
    return re.sub(r"\{\w+\}", PLACEHOLDER, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint; `{id}` in the path stands for any one part."""

    method: str
    path: str
    handler: Handler


class Router:
    """Finds an endpoint's handler."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in routes:
            parts = route.path.strip("/").split("/")
            self._routes.setdefault((route.method, len(parts)), []).append((parts, route))
        for candidates in self._routes.values():
            # A spelled-out part wins over a placeholder.
            candidates.sort(key=lambda candidate: candidate[0].count(PLACEHOLDER))

    def find(self, method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
        """The handler and the ids in the path.

        Raises:
            Refused: there is no such endpoint.
        """
        parts = path.strip("/").split("/")
        found = self._find(method, parts)
        if found is None:
            raise Refused(
                f"Unrecognized request URL ({method}: {path}). If you are trying to list "
                "objects, remove the trailing slash. If you are trying to retrieve an object, "
                "make sure you passed a valid (non-empty) identifier in your code.",
                status=404,
            )
        template, route = found
        return route.handler, tuple(
            part for ours, part in zip(template, parts, strict=True) if ours == PLACEHOLDER
        )

    def pattern(self, method: str, path: str) -> str:
        """The path with placeholders for its ids; the path itself where there is no such one."""
        found = self._find(method, path.strip("/").split("/"))
        return path if found is None else found[1].path

    def _find(self, method: str, parts: list[str]) -> tuple[list[str], Route] | None:
        for template, route in self._routes.get((method, len(parts)), []):
            if all(
                ours in (PLACEHOLDER, part) for ours, part in zip(template, parts, strict=True)
            ):
                return template, route
        return None


def routes_of(resource: Resource) -> list[Route]:
    """The endpoints that a resource has by its description."""
    all_of, one = f"/v1/{resource.path}", f"/v1/{resource.path}/{PLACEHOLDER}"
    routes = [Route(method="GET", path=one, handler=_retrieve(resource))]
    if resource.listed:
        routes.append(Route(method="GET", path=all_of, handler=_list(resource)))
    if resource.create is not None:
        routes.append(Route(method="POST", path=all_of, handler=_create(resource)))
    if resource.update is not None:
        update = Action(run=resource.update, parameters=resource.updatable)
        routes.append(Route(method="POST", path=one, handler=_act(resource, update)))
    if resource.delete is not None:
        delete = Action(run=resource.delete, parameters=resource.deletable)
        routes.append(Route(method="DELETE", path=one, handler=_act(resource, delete)))
    for verb, action in resource.actions.items():
        handler = _act(resource, action)
        routes.append(Route(method="POST", path=f"{one}/{verb}", handler=handler))
    return routes


def nested_list(resource: Resource, *, parent: str, path: str, field: str) -> Route:
    """A list of the objects that belong to one of type `parent`, with the resource's filters.

    Args:
        resource: what is listed.
        parent: Stripe's `object` of the one in the path.
        path: the whole path, with `{id}` for the parent.
        field: the resource's field that holds the parent's id; also the name of a filter.
    """

    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Listed:
        owner = session.get(parent, ids[0])["id"]
        url = path.replace(PLACEHOLDER, owner)
        return list_objects(session, resource, {**raw, field: owner}, url=url)

    return Route(method="GET", path=path, handler=handler)


def _retrieve(resource: Resource) -> Handler:
    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        parse(raw, {})
        collection = session.world.state[resource.name]
        if resource.name == "customer" and ids[0] in collection.deleted:
            return {"id": ids[0], "object": resource.name, "deleted": True}
        return _find(session, resource, ids[0])

    return handler


def _list(resource: Resource) -> Handler:
    def handler(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Listed:
        return list_objects(session, resource, raw)

    return handler


def _create(resource: Resource) -> Handler:
    create = resource.create
    assert create is not None

    def handler(session: Session, _ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        return create(session, parse(raw, resource.creatable, required=resource.required))

    return handler


def _act(resource: Resource, action: Action) -> Handler:
    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        given = parse(raw, action.parameters, required=action.required)
        return action.run(session, _find(session, resource, ids[0]), given)

    return handler


def _find(session: Session, resource: Resource, identifier: str) -> Body:
    if resource.lookup is not None:
        return resource.lookup(session, identifier)
    return session.get(resource.name, identifier)
