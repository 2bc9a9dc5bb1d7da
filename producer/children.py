"""The objects in the lists of a body, made ready for records of their own."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from producer.belonging import belonging
from producer.inheriting import with_inherited
from producer.memory import entry_name
from producer.normalise import NOT_JSON, Cells, NotAnObject
from producer.record import hash_of
from producer.shown_lists import Extent, OtherChild, OwnedChild, ShownList
from producer.type_tools import ToolBox, TypeTools
from schemas.columns import PARENT_SOURCE
from schemas.endpoints import Child, Ways
from schemas.moved import load_moves
from schemas.objects import Catalogue, StrangeObjectName, record_key
from schemas.topics import table_name

_Place = tuple[str, str, bytes]
"""A parent's name, its field, and the bytes of the list there."""


class Parent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whose lists are read.

    Attributes:
        name: in the memory.
        lists: the bytes of each of its type's lists; empty where its body shows none.
    """

    name: str
    account_id: str
    object_id: str
    lists: tuple[bytes, ...] = ()


class ListField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of an object type that holds a list.

    Attributes:
        position: of its cell.
        owned: the type of its elements if only this list shows them; else empty.
        expanded_only: Stripe shows it only where it is asked for.
        inherited: fields that old bodies tell of all elements together, and where their cells are.
    """

    field: str
    position: int
    owned: str
    expanded_only: bool
    inherited: tuple[tuple[str, int], ...]


class TypeLists(msgspec.Struct, frozen=True, kw_only=True):
    """The lists that bodies of one object type hold.

    Attributes:
        owned_types: of the children that are shown here only, by table.
        owned_fields: that show them.
        all_owned: whether no list shows other children.
        apart: fields that are no part of the object's record.
        owned_apart: those of `owned_fields` that are.
    """

    fields: tuple[ListField, ...]
    owned_types: Mapping[str, str]
    owned_fields: frozenset[str]
    all_owned: bool
    apart: frozenset[str]
    owned_apart: frozenset[str]

    def show_all(self, lists: Sequence[ShownList]) -> bool:
        """Whether lists show every owned child that there is."""
        return self.owned_fields <= {one.field for one in lists if one.extent is Extent.WHOLE}


class ChildReader:
    """Reads the lists of bodies, type by type."""

    def __init__(
        self, *, catalogue: Catalogue, ways: Mapping[str, Ways], tool_box: ToolBox
    ) -> None:
        self._catalogue = catalogue
        self._ways = ways
        self._tool_box = tool_box
        self._type_lists: dict[str, TypeLists] = {}
        self._owned = frozenset(
            child.object_name for found in ways.values() for child in found.children if child.owned
        )
        self._without_parent = frozenset(
            name
            for name, found in ways.items()
            if any(endpoint.parent_untold for endpoint in found.lists)
        )

    def is_owned(self, object_name: str) -> bool:
        """Whether objects of this type are shown by their parent only."""
        return object_name in self._owned

    def lists_of(self, object_name: str) -> TypeLists:
        """The lists that bodies of a type hold."""
        found = self._type_lists.get(object_name)
        if found is None:
            fields = tuple(self._made_fields(object_name))
            owned_fields = frozenset(one.field for one in fields if one.owned)
            apart = frozenset(one.field for one in fields if one.expanded_only)
            found = self._type_lists[object_name] = TypeLists(
                fields=fields,
                owned_types={table_name(one.owned): one.owned for one in fields if one.owned},
                owned_fields=owned_fields,
                all_owned=all(one.owned for one in fields),
                apart=apart,
                owned_apart=owned_fields & apart,
            )
        return found

    def read(self, object_name: str, parents: Sequence[Parent]) -> list[tuple[ShownList, ...]]:
        """The lists of each body; a list that it does not show is not among them."""
        fields = self.lists_of(object_name).fields
        if not fields:
            return [()] * len(parents)
        unread: dict[_Place, Parent] = {}
        shown: list[list[_Place]] = []
        for parent in parents:
            places = []
            for field, raw in zip(fields, parent.lists, strict=True):
                if raw:
                    place = (parent.name, field.field, raw)
                    places.append(place)
                    unread[place] = parent
            shown.append(places)
        read = self._read_all(object_name, unread)
        return [
            tuple(one for place in places if (one := read[place]) is not None) for places in shown
        ]

    def values(self, object_name: str, cells: Cells) -> tuple[bytes, ...]:
        """The bytes of each list of a body, as `Parent` has them."""
        found = []
        for field in self.lists_of(object_name).fields:
            raw = bytes(cells[field.position])
            if raw == b"null":
                raw = b""
            elif raw and field.inherited:
                raw = with_inherited(raw, {name: cells[at] for name, at in field.inherited})
            found.append(raw)
        return tuple(found)

    def others(self, raw: bytes, parent: Parent) -> tuple[OtherChild, ...]:
        """The elements of a list that Stripe shows in other ways, too, wherever the list stood."""
        found = self._other_list((parent.name, "", raw), parent)
        return () if found is None else found.others

    def _made_fields(self, object_name: str) -> list[ListField]:
        ways = self._ways.get(object_name)
        by_field: dict[str, Child] = {}
        for child in ways.children if ways is not None else ():
            by_field[child.field] = child
        if not by_field:
            return []
        normaliser = self._tool_box.tools(object_name).normaliser
        inherited = load_moves().inherited.get(object_name, {})
        return [
            ListField(
                field=field,
                position=normaliser.position(field),
                owned=child.object_name if child.owned else "",
                expanded_only=child.expanded_only,
                inherited=tuple(
                    (name, normaliser.position(name)) for name in inherited.get(field, ())
                ),
            )
            for field, child in by_field.items()
        ]

    def _read_all(
        self, object_name: str, unread: Mapping[_Place, Parent]
    ) -> dict[_Place, ShownList | None]:
        """Each of these lists; those of one type are encoded together."""
        found: dict[_Place, ShownList | None] = {}
        for field in self.lists_of(object_name).fields:
            places = [place for place in unread if place[1] == field.field]
            if field.owned:
                tools = self._tool_box.tools(field.owned)
                found |= self._owned_lists(object_name, tools, places, unread)
            else:
                for place in places:
                    found[place] = self._other_list(place, unread[place])
        return found

    def _owned_lists(
        self,
        parent_object_name: str,
        tools: TypeTools,
        places: Sequence[_Place],
        parents: Mapping[_Place, Parent],
    ) -> dict[_Place, ShownList | None]:
        parent_at = _parent_at(tools, parent_object_name)
        pages = {place: _page(place[2]) for place in places}
        rows: list[Cells] = []
        spans: dict[_Place, slice] = {}
        for place, page in pages.items():
            first = len(rows)
            for element in page.data if page is not None else ():
                cells = _element_cells(tools, bytes(element))
                if cells is not None:
                    rows.append(_with_parent(cells, parent_at, parents[place].object_id))
            spans[place] = slice(first, len(rows))
        halves = tools.halves(rows)
        found: dict[_Place, ShownList | None] = {}
        for place, page in pages.items():
            span = spans[place]
            found[place] = (
                None
                if page is None
                else ShownList(
                    field=place[1],
                    extent=page.extent(read=sum(half is not None for half in halves[span])),
                    digest=hash_of(place[1].encode() + place[2]),
                    owned=tuple(
                        _owned_child(tools, parents[place], cells, half)
                        for cells, half in zip(rows[span], halves[span], strict=True)
                        if half is not None
                    ),
                )
            )
        return found

    def _other_list(self, place: _Place, parent: Parent) -> ShownList | None:
        page = _page(place[2])
        if page is None:
            return None
        others = [self._other_child(bytes(element), parent) for element in page.data]
        read = [one for one in others if one is not None]
        return ShownList(
            field=place[1],
            extent=page.extent(read=len(read)),
            digest=hash_of(place[1].encode() + place[2]),
            others=tuple(read),
        )

    def _other_child(self, value: bytes, parent: Parent) -> OtherChild | None:
        try:
            body = msgspec.json.decode(value)
            name = body.get("object") if isinstance(body, dict) else None
            if not isinstance(name, str):
                return None
            object_type = self._catalogue.get(name)
        except (*NOT_JSON, StrangeObjectName):
            return None
        key = record_key(object_type, body, parent.account_id)
        if key is None:
            return None
        return OtherChild(
            name=entry_name(object_type.table, key),
            key=key,
            object_name=object_type.name,
            value=self._belonging(object_type.name, value, parent),
        )

    def _belonging(self, object_name: str, value: bytes, parent: Parent) -> bytes:
        if object_name not in self._without_parent:
            return value
        return belonging(value, parent.object_id)


class _Page(msgspec.Struct, gc=False):
    data: list[msgspec.Raw]
    has_more: bool | None = None

    def extent(self, *, read: int) -> Extent:
        """How much of the list is here, if so many elements could be read."""
        if self.has_more:
            return Extent.BEGINNING
        told = self.has_more is False and read == len(self.data)
        return Extent.WHOLE if told else Extent.UNTOLD


def _page(raw: bytes) -> _Page | None:
    """Stripe's list envelope; none if it is something else."""
    try:
        return _DECODE_PAGE(raw)
    except NOT_JSON:
        return None


def _element_cells(tools: TypeTools, value: bytes) -> Cells | None:
    """The cells of an element; none if it is not of the type or has no id."""
    try:
        cells = tools.normaliser.read(value)
    except NotAnObject:
        return None
    expected = cells[tools.normaliser.position("object")] == tools.object_type.name
    return cells if expected and cells[0] else None


def _parent_at(tools: TypeTools, parent_object_name: str) -> int | None:
    """The cell of a child that names its parent."""
    sources = {column.source for column in tools.object_type.columns}
    for source in (PARENT_SOURCE, parent_object_name.rpartition(".")[2]):
        if source in sources:
            return tools.normaliser.position(source)
    return None


def _with_parent(cells: Cells, at: int | None, parent_id: Any) -> Cells:
    """The cells with the parent's id, where the body does not say it."""
    if at is None or cells[at]:
        return cells
    return (*cells[:at], parent_id, *cells[at + 1 :])


def _owned_child(tools: TypeTools, parent: Parent, cells: Cells, half: bytes) -> OwnedChild:
    object_type = tools.object_type
    key = f"{parent.account_id}/{cells[0]}" if parent.account_id else str(cells[0])
    return OwnedChild(
        name=entry_name(object_type.table, key),
        key=key,
        object_name=object_type.name,
        table=object_type.table,
        half=half,
        body_hash=hash_of(half),
    )


_DECODE_PAGE: Final = msgspec.json.Decoder(_Page).decode
