"""The endpoints of every type, by the addresses of the catalogue."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from schemas.columns import PARENT_SOURCE
from schemas.endpoints import ListEndpoint, load_ways
from schemas.objects import load_catalogue
from simulator.errors import Refused, missing_parameter, no_such
from simulator.form import Raw
from simulator.generic.event_types import event_type
from simulator.generic.families import OF_ACCOUNTS, members, show_in_parents, whole
from simulator.generic.making import Making
from simulator.generic.relations import address, names_in, relations
from simulator.generic.resources import parsers_of
from simulator.listing import CURSORS, LIMIT_MAX, Listed, list_objects, page_of
from simulator.parameters import choice, parse
from simulator.resource import Resource, changes
from simulator.routing import PLACEHOLDER, Handler, Route, pattern
from simulator.session import Session
from simulator.state import Body

ALWAYS_THERE: Final = frozenset(
    {
        "balance",
        "balance_settings",
        "billing.credit_balance_summary",
        "cash_balance",
        "tax.settings",
    }
)
"""Types of which each account, or each customer, has one without anybody making it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An address in a list of objects: whose list, of which types.

    Attributes:
        path: with the catalogue's names in braces.
        parent: the type of whose elements it is a list; "" for a list of the whole account.
        asked: the query parameter that names the parent and must be given; "" without one.
        names: the types of the elements.
        paged: takes a limit and a cursor.
        ordered: by the parent, oldest first.
    """

    path: str
    parent: str
    asked: str
    names: tuple[str, ...]
    paged: bool = True
    ordered: bool = False


def generic_routes(
    resources: Mapping[str, Resource], making: Making, *, only_read: Collection[str]
) -> Iterator[Route]:
    """Lists, retrieves, creates, updates and deletes of every type.

    Args:
        resources: every type's.
        making: makes and removes objects.
        only_read: types that have endpoints of their own for what changes them.
    """
    for place in _places():
        path = pattern(place.path)
        whole = len(place.names) == 1 and not place.ordered
        handler = _list(place, resources[place.names[0]]) if whole else _members(place)
        yield Route(method="GET", path=path, handler=handler)
        if len(place.names) == 1 and place.names[0] not in only_read:
            yield Route(method="POST", path=path, handler=_create(place, making))
    for template, names in _retrieves().items():
        one = _One(template=template, names=tuple(names), making=making)
        yield Route(method="GET", path=pattern(one.path), handler=one.retrieve)
        if not set(names) <= set(only_read):
            yield Route(method="POST", path=pattern(one.path), handler=one.update)
            yield Route(method="DELETE", path=pattern(one.path), handler=one.delete)


def _places() -> Iterator[Place]:
    found: dict[str, Place] = {}
    for name, ways in load_ways().items():
        for listed in ways.lists:
            known = found.get(listed.path)
            flat = not listed.parent or (known is not None and not known.parent)
            if known is None or flat:
                asked = "" if flat or listed.parent_in_path else listed.parent_field
                parent = "" if flat else listed.parent
                found[listed.path] = Place(
                    path=listed.path,
                    parent=parent,
                    asked=asked,
                    names=(name,),
                    paged=listed.paged,
                )
            elif name not in known.names:
                found[listed.path] = replace(known, names=(*known.names, name))
    for name, ways in load_ways().items():
        for child in ways.children:
            path, _, query = child.path.partition("?")
            if path and path not in found and pattern(path) not in map(pattern, found):
                asked = query.partition("=")[0]
                found[path] = Place(
                    path=path,
                    parent=name,
                    asked=asked,
                    names=(child.object_name,),
                    ordered=child.owned,
                )
    yield from found.values()


def _list(place: Place, resource: Resource) -> Handler:
    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Listed:
        if place.asked and not raw.get(place.asked):
            raise missing_parameter(place.asked)
        if not place.paged:
            parse(raw, {})
            raw = {"limit": str(LIMIT_MAX)}
        if not place.parent or place.asked:
            return list_objects(session, resource, raw, url=place.path)
        owner = _owner(session, place, ids[0])
        field = relations()[place.parent, resource.name].field
        url = pattern(place.path).replace(PLACEHOLDER, owner)
        return list_objects(session, resource, {**raw, field: owner}, url=url)

    return handler


def _members(place: Place) -> Handler:
    """A list of several types, or one in its parent's order."""

    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        asked = str(raw.pop(place.asked, ""))
        if place.asked and not asked:
            raise missing_parameter(place.asked)
        kinds = {} if place.ordered else {"object": choice(*place.names)}
        given = parse(raw, {**CURSORS, **kinds})
        owner = _owner(session, place, asked or ids[0])
        names = [name for name in place.names if given.get("object") in (None, name)]
        url = pattern(place.path).replace(PLACEHOLDER, owner)
        found = members(session, place.parent, names, owner)
        return whole(session, page_of(found, given, name=place.names[0], url=url))

    return handler


def _owner(session: Session, place: Place, identifier: str) -> str:
    home = session.within("") if place.parent in OF_ACCOUNTS else session
    home.get(place.parent, identifier)
    return identifier


def _create(place: Place, making: Making) -> Handler:
    name = place.names[0]

    def handler(session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        given = parse(raw, parsers_of(name))
        if place.parent and not place.asked:
            given[relations()[place.parent, name].field] = _owner(session, place, ids[0])
        body, unseen = making.body(session, name, given)
        event = event_type(name, "created", body)
        added = session.add(body, event=event, unseen=unseen)
        identifier = session.world.state[name].identify(added)
        show_in_parents(session, name, identifier, events=True)
        return added

    return handler


def _retrieves() -> Mapping[str, list[str]]:
    """The types that an address may show, by address."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, ways in load_ways().items():
        below = [
            address(listed.path, {listed.parent_field: f"{{{_field(listed)}}}"}) + "/{id}"
            for listed in ways.lists
            if listed.parent_in_path
        ]
        # What does not say whose it is has an address below its parent's, which is in `below`.
        told = [template for template in ways.retrieve if PARENT_SOURCE not in template]
        for template in dict.fromkeys([*told, *below]):
            found[template].append(name)
    return found


def _field(listed: ListEndpoint) -> str:
    return relations()[listed.parent, listed.object_name].field


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """The address of one object, of one of several types."""

    template: str
    names: tuple[str, ...]
    making: Making

    @property
    def path(self) -> str:
        return self.template.partition("?")[0]

    def retrieve(self, session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        asked = self._asked(ids, raw)
        if self.template == self.path:
            parse(raw, {})
        return self._find(session, asked)

    def update(self, session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        body = self._find(session, self._asked(ids, {}))
        name = body["object"]
        given = parse(raw, parsers_of(name))
        event = event_type(name, "updated", body)
        changed = session.change(body, changes(body, given), event=event)
        identifier = session.world.state[name].identify(changed)
        show_in_parents(session, name, identifier, events=True)
        return changed

    def delete(self, session: Session, ids: tuple[str, ...], raw: dict[str, Raw]) -> Body:
        parse(raw, {})
        body = self._find(session, self._asked(ids, {}))
        if "id" not in body:
            raise Refused(f"A {body['object']} cannot be deleted.", status=405)
        return self.making.remove(session, body["object"], body["id"], events=True)

    def _asked(self, ids: tuple[str, ...], raw: dict[str, Raw]) -> dict[str, str]:
        """The values of the names in braces, from the path and from the query."""
        path, _, query = self.template.partition("?")
        asked = dict(zip(names_in(path), ids, strict=True))
        for part in query.split("&"):
            parameter, _, value = part.partition("=")
            for name in names_in(value):
                given = raw.get(parameter)
                if not isinstance(given, str) or not given:
                    raise missing_parameter(parameter)
                asked[name] = given
        return asked

    def _find(self, session: Session, asked: dict[str, str]) -> Body:
        for name in self.names:
            body = _found(session, name, asked)
            if body is not None:
                return body
            if name in ALWAYS_THERE:
                return self._first(session, name, asked)
        last = next(reversed(asked.values()), "")
        raise no_such(self.names[0], last)

    def _first(self, session: Session, name: str, asked: dict[str, str]) -> Body:
        if "customer" in asked:
            session.get("customer", asked["customer"])
        body, _ = self.making.body(session, name, dict(asked))
        return session.add(body)


def _found(session: Session, name: str, asked: dict[str, str]) -> Body | None:
    """The object that has these values, and belongs to these parents."""
    collection = session.world.state[name]
    rule = load_catalogue().get(name).key_rule
    assert rule is not None
    if "id" in asked:
        body = collection.find(asked["id"])
    elif set(rule.fields) <= asked.keys():
        body = collection.find(asked[rule.fields[0]] if rule.fields else name)
    else:
        field, value = next(iter(asked.items()))
        body = next(iter(collection.belonging(field, value)), None)
    if body is None:
        return None
    held = collection.parents(collection.identify(body))
    belongs = all(held.get(field, value) == value for field, value in asked.items())
    return body if belongs else None
