"""The ways in which each object type is had from Stripe: lists, retrieves, lists inside others.

Read from `endpoints.json`, which `make schemas` writes from the pinned `stripe` package and from
what a person reviewed in `endpoints_reviewed.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEndpoint:
    """A list of Stripe's that shows objects of one type.

    Attributes:
        object_name: what it lists.
        path: `/v1/invoices`, `/v1/customers/{customer}/tax_ids`, `/v1/subscription_items`.
        parent: the type of the object whose list it is; "" for a list of the whole account.
        parent_field: what takes the parent's id: the name in the path's braces, or the query
            parameter; "" without a parent.
        parent_in_path: whether it is the path.
        only_parents_with: the parent's field without which it has none of these: "test_clock";
            "" where any parent may have some.
        parent_untold: whether its elements do not say whose they are, so that who reads it has to.
        paged: whether it takes `limit` and a cursor; if not, one answer has all of it.
        has_created: whether it takes `created[gte]` and `created[lt]`.
        passes: query parameters of each reading; together the readings show every row that
            Stripe lists at all.
        expand: fields of the elements to be asked for: `line_items` is sent as
            `expand[]=data.line_items`.
    """

    object_name: str
    path: str
    parent: str
    parent_field: str
    parent_in_path: bool
    only_parents_with: str
    parent_untold: bool
    paged: bool
    has_created: bool
    passes: tuple[Mapping[str, str], ...]
    expand: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A list inside an object, whose elements are objects with ids.

    Attributes:
        field: of the parent's body: `items`, `lines`, `refunds`.
        object_name: what the elements are. A field that holds several types has a `Child` for
            each, and an element's own `object` tells which it is.
        owned: only its parent ever shows it.
        expanded_only: the newest API version shows it where it is asked for, and not in events.
        path: where the whole list is, made of the parent's fields: `/v1/invoices/{id}/lines`; ""
            where no request lists it.
    """

    field: str
    object_name: str
    owned: bool
    expanded_only: bool
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Every way to one object type beside its events.

    Attributes:
        lists: where it is listed; empty for what its parent owns.
        retrieve: addresses made of the body's fields; one without a field in braces is that of the
            only object of its type.
        children: what its body embeds.
        writable: columns whose Stripe field an update takes under the same name.
        hidden: what of it no list shows; "" if the lists show every one.
        untold: what of it no event tells; "" if its own events, or those of what it is a part of,
            tell every change.
        unreachable: why neither a list nor an address of its own shows it; "" if one does.
    """

    object_name: str
    lists: tuple[ListEndpoint, ...]
    retrieve: tuple[str, ...]
    children: tuple[Child, ...]
    writable: tuple[str, ...]
    hidden: str
    untold: str
    unreachable: str

    @property
    def events_complete(self) -> bool:
        """Whether events tell every change of it."""
        return not self.untold

    @property
    def expand(self) -> tuple[str, ...]:
        """Fields to be asked for when it is retrieved: lists of what nothing else ever shows."""
        found = (child.field for child in self.children if child.owned and child.expanded_only)
        return tuple(dict.fromkeys(found))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every address that shows some of it, or of its children; without parameters."""
        lists = (found.path for found in self.lists)
        inside = (child.path for child in self.children if child.path)
        found = (path.partition("?")[0] for path in (*lists, *self.retrieve, *inside))
        return tuple(dict.fromkeys(found))


@cache
def load_ways() -> Mapping[str, Ways]:
    """The ways to every type of the catalogue; read once per process."""
    found = orjson.loads(ENDPOINTS_FILE.read_bytes())
    return MappingProxyType({name: _ways(name, entry) for name, entry in found.items()})


def _ways(name: str, entry: Mapping[str, Any]) -> Ways:
    return Ways(
        object_name=name,
        lists=tuple(_list_endpoint(name, found) for found in entry["lists"]),
        retrieve=tuple(entry["retrieve"]),
        children=tuple(Child(**found) for found in entry["children"]),
        writable=tuple(entry["writable"]),
        hidden=entry["hidden"],
        untold=entry["untold"],
        unreachable=entry["unreachable"],
    )


def _list_endpoint(name: str, found: Mapping[str, Any]) -> ListEndpoint:
    passes = tuple(MappingProxyType(reading) for reading in found["passes"])
    rest = {field: found[field] for field in found.keys() - {"passes", "expand"}}
    return ListEndpoint(object_name=name, passes=passes, expand=tuple(found["expand"]), **rest)


ENDPOINTS_FILE: Final = Path(__file__).parent / "endpoints.json"
