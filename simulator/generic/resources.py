"""Each type as the HTTP layer needs it: filters, hidden rows, references, expanded fields."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from schemas.endpoints import Ways, load_ways
from schemas.shapes import FieldShape, Shape, load_shapes
from simulator.generic.families import embedded
from simulator.generic.hidden import EVERY, Hidden
from simulator.generic.prefixes import prefix_of
from simulator.generic.relations import relations_of
from simulator.parameters import Parser, anything, boolean, integer, metadata, number, text
from simulator.resource import CREATED, Filter, Hides, Include, Resource, equals, hides_nothing
from simulator.session import Session
from simulator.state import INDEXED_FIELDS, Body

FIXED: Final = frozenset({"id", "object", "created", "livemode"})


def generic_resources(by_hand: Mapping[str, Resource]) -> dict[str, Resource]:
    """Every type's resource: those written by hand, with what they lack, and all others."""
    return {
        name: _completed(by_hand[name], ways) if name in by_hand else _generic(name, ways)
        for name, ways in load_ways().items()
    }


def parsers_of(name: str) -> dict[str, Parser]:
    """A parser for each field that a request may set: the simulator knows no finer rules."""
    fields = load_shapes()[name].items()
    return {field: _parser(field, one) for field, one in fields if field not in FIXED} | {
        one.field: text for one in relations_of(name) if not one.shown
    }


def _completed(resource: Resource, ways: Ways) -> Resource:
    """A resource written by hand, with the filters and expanded fields that it lacks."""
    hides, hidden = resource.hides, Hidden(ways)
    if hidden.any and hides is hides_nothing:
        hides = hidden
    elif hidden.any:
        hides = partial(_either, resource.hides, hidden)
    return replace(
        resource,
        hides=hides,
        filters={**_parent_filters(ways), **resource.filters},
        included={**_included(ways), **resource.included},
    )


def _either(one: Hides, other: Hides, session: Session, body: Body, asked: Body) -> bool:
    return one(session, body, asked) or other(session, body, asked)


def _generic(name: str, ways: Ways) -> Resource:
    fields, hidden = load_shapes()[name], Hidden(ways)
    filters = {
        field: equals(field, parser=_parser(field, one))
        for field, one in fields.items()
        if one.shape in _SCALARS and field not in FIXED
    }
    if any(listed.has_created for listed in ways.lists):
        filters |= CREATED
    flat = next((listed.path for listed in ways.lists if not listed.parent), f"/v1/{name}")
    return Resource(
        name=name,
        path=flat.removeprefix("/v1/"),
        prefix=prefix_of(name),
        blank={},
        filters={**filters, **_reading_filters(ways), **_parent_filters(ways)},
        hides=hidden if hidden.any else hides_nothing,
        references={
            field: one.targets[0]
            for field, one in fields.items()
            if one.shape is Shape.EXPANDABLE and len(one.targets) == 1
        },
        included=_included(ways),
    )


def _reading_filters(ways: Ways) -> dict[str, Filter]:
    """The parameters that show hidden rows."""
    given = {
        (name, value)
        for listed in ways.lists
        for one in listed.passes
        for name, value in one.items()
    }
    filters = {}
    for name, value in given:
        field, _, inner = name.partition("[")
        if inner:
            filters[field] = Filter(parser=anything, keeps=partial(_covers, field))
        elif value == EVERY:
            filters[field] = Filter(parser=text, keeps=partial(_is_or_every, field))
    return filters


def _parent_filters(ways: Ways) -> dict[str, Filter]:
    """The parameters that name a parent: the index has the answer."""
    found = {one.field for one in relations_of(ways.object_name)}
    return {
        name: Filter(parser=text, keeps=lambda _body, _asked: True, indexed=True)
        for name in found & INDEXED_FIELDS
    }


def _included(ways: Ways) -> dict[str, Include]:
    names = {child.field for child in ways.children if child.expanded_only}
    return {name: partial(_embedded, ways.object_name, name) for name in names}


def _embedded(parent: str, field: str, session: Session, body: Body) -> Body:
    return embedded(session, parent, field, body)


def _is_or_every(field: str, body: Body, asked: str) -> bool:
    return asked == EVERY or body.get(field) == asked


def _covers(field: str, body: Body, asked: Any) -> bool:
    here = body.get(field)
    return isinstance(here, dict) and all(here.get(key) == one for key, one in asked.items())


def _parser(name: str, one: FieldShape) -> Parser:
    if name == "metadata":
        return metadata
    return _SCALARS.get(one.shape, anything)


_SCALARS: Final[Mapping[Shape, Parser]] = {
    Shape.STRING: text,
    Shape.ENUM: text,
    Shape.BOOLEAN: boolean,
    Shape.INTEGER: integer,
    Shape.FLOAT: number,
    Shape.DECIMAL: text,
    Shape.EXPANDABLE: text,
}
