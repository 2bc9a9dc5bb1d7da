"""Whose an object is: by which field it is found among the objects of its type."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from schemas.columns import PARENT_SOURCE
from schemas.endpoints import Child, ListEndpoint, Ways, load_ways
from schemas.shapes import load_shapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Objects of the type `child` that belong to one of the type `parent`.

    Attributes:
        field: holds the parent's id: in the child's body if `shown`, else beside it.
    """

    parent: str
    child: str
    field: str
    shown: bool


@cache
def relations() -> Mapping[tuple[str, str], Relation]:
    """Every relation, by parent and child."""
    found: dict[tuple[str, str], Relation] = {}
    for one in _relations():
        found.setdefault((one.parent, one.child), one)
    return found


def relations_of(child: str) -> list[Relation]:
    """What objects of a type may belong to."""
    return [found for found in relations().values() if found.child == child]


def address(template: str, values: Mapping[str, object]) -> str:
    """An address with the values in place of the names in braces."""
    return _BRACES.sub(lambda name: str(values.get(name[1], "")), template)


def names_in(template: str) -> list[str]:
    """The names in an address' braces, in their order."""
    return _BRACES.findall(template)


def _relations() -> Iterator[Relation]:
    for name, ways in load_ways().items():
        for listed in ways.lists:
            if listed.parent:
                yield _relation(listed.parent, name, _names(ways, listed))
    for name, ways in load_ways().items():
        for child in ways.children:
            yield _relation(name, child.object_name, _asked(child))


def _relation(parent: str, child: str, names: list[str]) -> Relation:
    shown = load_shapes()[child]
    candidates = [*names, parent.rpartition(".")[2]]
    field = next((name for name in candidates if name in shown), candidates[0])
    return Relation(parent=parent, child=child, field=field, shown=field in shown)


def _names(ways: Ways, listed: ListEndpoint) -> list[str]:
    """What the parent's id is called in the address of one child, then in that of the list."""
    own = () if listed.parent_field == "id" else (listed.parent_field,)
    if not listed.parent_in_path:
        return list(own)
    before, _, after = listed.path.partition(f"{{{listed.parent_field}}}")
    named = re.compile(re.escape(before) + r"\{(\w+)\}" + re.escape(after) + "/")
    called = [found[1] for template in ways.retrieve if (found := named.match(template))]
    # The producer's own word for a parent that a body does not name.
    return [*(name for name in called if name != PARENT_SOURCE), *own]


def _asked(child: Child) -> list[str]:
    """The query parameter by which a parent's whole list is asked for."""
    query = child.path.partition("?")[2]
    return [query.partition("=")[0]] if query else []


_BRACES = re.compile(r"\{(\w+)\}")
