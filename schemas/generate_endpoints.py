"""The ways to each object type, from the package's services and what a person reviewed.

The services tell addresses and parameters. They tell neither which rows a list leaves out, nor
whose id a parameter takes, nor which embedded lists only their parent shows: that stands, with
the reasons, in `endpoints_reviewed.json`. What is new in the package and in none of its lists
stops the generator.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.columns import PARENT_SOURCE, Column, ColumnKind
from schemas.endpoints import Child, ListEndpoint, Ways
from schemas.generate_annotations import AnnotatedField, AnnotatedObject
from schemas.generate_services import Endpoint, endpoints
from schemas.shapes import Shape


class NotReviewed(Exception):
    """The package has what no list of `endpoints_reviewed.json` speaks of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedWays:
    """The reviewed lists, as they stand in the file.

    Attributes:
        unread: addresses of lists that are not read, and why.
        parents: the parameter of a list and the type whose id it takes.
        passes: the readings of a list that together show every row.
        more_lists: lists of the rows that the plain list of the same address leaves out.
        hidden: what no list of a type shows.
        untold: what no event tells of a type that has events.
        embedded: `type.field` of each list inside an object: its address, owned, expanded_only.
        addresses: of objects that no `retrieve` method fetches.
        unreachable: types that are neither listed nor retrieved, and why.
    """

    unread: Mapping[str, str]
    parents: Mapping[str, tuple[str, str]]
    passes: Mapping[str, Sequence[Mapping[str, str]]]
    more_lists: Sequence[Mapping[str, str]]
    hidden: Mapping[str, str]
    untold: Mapping[str, str]
    embedded: Mapping[str, Mapping[str, Any]]
    addresses: Mapping[str, Sequence[str]]
    unreachable: Mapping[str, str]


def read_reviewed_ways() -> ReviewedWays:
    """The lists in the file beside this module."""
    lists = orjson.loads((Path(__file__).parent / "endpoints_reviewed.json").read_bytes())
    readings = lists["readings that together show every row"]
    return ReviewedWays(
        unread=lists["lists that are not read"],
        parents={
            path: (parameter, parent)
            for path, (parameter, parent) in lists["parents named by a parameter"].items()
        },
        passes={path: reading["passes"] for path, reading in readings.items()},
        more_lists=lists["lists of rows that the plain list leaves out"],
        hidden=lists["what no list shows"],
        untold=lists["what no event of a type tells"],
        embedded=lists["embedded lists"],
        addresses=lists["addresses that no `retrieve` method tells"],
        unreachable=lists["neither listed nor retrieved"],
    )


def generated_ways(
    annotated: Mapping[str, AnnotatedObject],
    columns: Mapping[str, Sequence[Column]],
    told: Collection[str],
) -> bytes:
    """The content of `endpoints.json`.

    Args:
        annotated: every type of the package.
        columns: of each type that has a schema.
        told: the types that some event carries.

    Raises:
        NotReviewed: the package has a list, a parameter or an embedded list that is in no list.
    """
    ways = ways_by_type(annotated, columns, told, endpoints(), read_reviewed_ways())
    found = {name: _entry(way) for name, way in ways.items()}
    return orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def ways_by_type(
    annotated: Mapping[str, AnnotatedObject],
    columns: Mapping[str, Sequence[Column]],
    told: Collection[str],
    requests: Sequence[Endpoint],
    reviewed: ReviewedWays,
) -> dict[str, Ways]:
    """The ways to every type that has a schema, by name.

    Raises:
        NotReviewed: the package has what is in no list.
    """
    parts = _Parts(
        annotated=annotated,
        told=told,
        without_parent={
            name
            for name, found in columns.items()
            if any(column.source == PARENT_SOURCE for column in found)
        },
        requests=requests,
        reviewed=reviewed,
    )
    return {name: parts.ways(name, found) for name, found in sorted(columns.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    annotated: Mapping[str, AnnotatedObject]
    told: Collection[str]
    without_parent: Collection[str]
    requests: Sequence[Endpoint]
    reviewed: ReviewedWays

    def ways(self, name: str, columns: Sequence[Column]) -> Ways:
        children = tuple(self._children(name))
        ways = Ways(
            object_name=name,
            lists=(),
            retrieve=tuple(dict.fromkeys(self._addresses(name))),
            children=children,
            writable=tuple(self._writable(name, columns)),
            hidden=self.reviewed.hidden.get(name, ""),
            untold=self._untold(name),
            unreachable=self.reviewed.unreachable.get(name, ""),
        )
        parents = self._owners(name)
        if parents:
            part = f"part of its {' or '.join(parents)}, and had with it"
            unreachable = ways.unreachable or ("" if ways.retrieve else part)
            return replace(ways, untold="", unreachable=unreachable)
        lists = sorted(self._lists(name, ways.expand), key=lambda found: found.parent != "")
        if not lists and any("{" in path for path in ways.retrieve):
            return replace(ways, hidden="any: each is retrieved once it is known")
        return replace(ways, lists=tuple(lists))

    def _untold(self, name: str) -> str:
        """What no event tells of a type."""
        if name in self.told:
            return self.reviewed.untold.get(name, "")
        showing = " or ".join(sorted(set(self._telling(name))))
        return f"what the events of its {showing} do not show" if showing else "any change"

    def _telling(self, name: str) -> Iterator[str]:
        """The types whose events show lists of this one."""
        for parent in self.annotated.values():
            for field in parent.fields:
                found = self._embedded(parent.name, field.name)
                shown = found and not found.get("expanded_only", False)
                if shown and name in field.targets and parent.name in self.told:
                    yield parent.name

    def _children(self, name: str) -> Iterator[Child]:
        annotated = self.annotated.get(name)
        for field in () if annotated is None else annotated.fields:
            if field.shape is Shape.PAGE:
                found = self._embedded(name, field.name)
                if not found:
                    raise NotReviewed(f"the embedded list {name}.{field.name}")
                for target in self._elements(field):
                    yield Child(
                        field=field.name,
                        object_name=target,
                        owned=found.get("owned", False),
                        expanded_only=found.get("expanded_only", False),
                        path=found["path"],
                    )

    def _elements(self, field: AnnotatedField) -> tuple[str, ...]:
        """The types in an embedded list; of several those alone that are at home there."""
        if len(field.targets) == 1:
            return field.targets
        return tuple(target for target in field.targets if not self._has_own_list(target))

    def _owners(self, name: str) -> tuple[str, ...]:
        """The types whose objects alone show those of this type; empty if others do as well."""
        return tuple(
            parent.name
            for parent in self.annotated.values()
            for field in parent.fields
            if name in field.targets and self._embedded(parent.name, field.name).get("owned")
        )

    def _embedded(self, name: str, field: str) -> Mapping[str, Any]:
        return self.reviewed.embedded.get(f"{name}.{field}", {})

    def _lists(self, name: str, expand: tuple[str, ...]) -> Iterator[ListEndpoint]:
        shown = [found for found in self.requests if self._is_read(found, name)]
        yield from (self._list_endpoint(name, request, expand) for request in shown)
        for more in self.reviewed.more_lists:
            for request in shown:
                if request.path == more["path"]:
                    yield replace(
                        self._list_endpoint(name, request, expand),
                        parent=more["parent"],
                        parent_field=more["parent_field"],
                        only_parents_with=more["only_parents_with"],
                    )

    def _is_read(self, request: Endpoint, name: str) -> bool:
        """Whether it is read for a type: among others only if the type has no list to itself."""
        if not request.is_list or request.path in self.reviewed.unread:
            return False
        alone = request.object_names == (name,)
        return alone or (name in request.object_names and not self._has_own_list(name))

    def _has_own_list(self, name: str) -> bool:
        """Whether a list shows this type and no other."""
        return any(
            found.is_list and found.object_names == (name,)
            for found in self.requests
            if found.path not in self.reviewed.unread
        )

    def _list_endpoint(
        self, name: str, request: Endpoint, expand: tuple[str, ...]
    ) -> ListEndpoint:
        passes = self.reviewed.passes.get(request.path, ({},))
        if len(request.object_names) > 1:
            # A list of several types shows one of them where it is named.
            passes = [{**reading, "object": name} for reading in passes]
        parent_field, parent = self._parent(request)
        lacking = set(request.required) - {parent_field} - {n.split("[")[0] for n in passes[0]}
        if lacking:
            raise NotReviewed(f"{request.path} needs {sorted(lacking)}")
        return ListEndpoint(
            object_name=name,
            path=request.path,
            parent=parent,
            parent_field=parent_field,
            parent_in_path="{" in request.path,
            only_parents_with="",
            parent_untold=name in self.without_parent,
            paged="limit" in request.parameters,
            has_created=request.takes_window,
            passes=tuple(passes),
            expand=expand,
        )

    def _parent(self, request: Endpoint) -> tuple[str, str]:
        """What takes the parent's id, and the parent's type; empty for a list without one."""
        if "{" not in request.path:
            return self.reviewed.parents.get(request.path, ("", ""))
        above, field, _ = re.split(r"/{(\w+)}", request.path)
        for other in self.requests:
            if other.method == "retrieve" and re.fullmatch(
                re.escape(above) + r"/{\w+}", other.path
            ):
                return field, other.object_names[0]
        raise NotReviewed(f"whose list {request.path} is")

    def _addresses(self, name: str) -> Iterator[str]:
        """Where a type is retrieved: by its own id alone if it can be."""
        found = [
            address
            for request in self.requests
            if request.method == "retrieve" and name in request.object_names
            if not request.path.startswith(_TEST_HELPERS) or name.startswith("test_helpers.")
            if not request.required
            if (address := self._address(name, request.path)) is not None
        ]
        fields = {address: address.count("{") for address in found}
        fewest = min(fields.values(), default=0)
        yield from (address for address in found if fields[address] == fewest)
        yield from self.reviewed.addresses.get(name, ())

    def _address(self, name: str, path: str) -> str | None:
        """The package's address, made of the body's own fields; none if the body lacks one."""
        if self._has_id(name):
            path = re.sub(r"{\w+}$", "{id}", path)
        annotated = self.annotated[name]
        if all(annotated.field(field) is not None for field in re.findall(r"{(\w+)}", path)):
            return path
        return None

    def _has_id(self, name: str) -> bool:
        return self.annotated[name].field("id") is not None

    def _writable(self, name: str, columns: Sequence[Column]) -> Iterator[str]:
        updates = [
            request
            for request in self.requests
            if request.method == "update" and name in request.object_names
            if not request.path.startswith(_TEST_HELPERS)
        ]
        taken = {parameter for request in updates for parameter in request.parameters}
        nested = {parameter for request in updates for parameter in request.nested}
        sources = [column.source for column in columns]
        for column in columns:
            # Of an embedded object's two columns, one is what an update takes.
            alone = sources.count(column.source) == 1
            whole = (column.kind is ColumnKind.JSON) == (column.source in nested)
            if column.source in taken and (alone or whole):
                yield column.name


def _entry(ways: Ways) -> dict[str, Any]:
    entry = asdict(ways)
    del entry["object_name"]
    for found in entry["lists"]:
        del found["object_name"]
    return entry


_TEST_HELPERS: Final = "/v1/test_helpers/"
