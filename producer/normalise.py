"""From Stripe's JSON to the columns of its object type, whatever version the body is in.

Two ways with one result. The short one reads a body into a struct made for the type and leaves
nested values as bytes: no dictionary is built. Where a value does not fit its column, the long one
reads the whole body; fields that the schema does not know are learnt, so that the short way takes
them the next time.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from producer.filling import Filling
from producer.fitting import (
    INTEGER_MAX,
    INTEGER_MIN,
    TIMESTAMP_SECONDS_MAX,
    TIMESTAMP_SECONDS_MIN,
    fitting,
)
from producer.nested import (
    LONG_BYTES_MAX,
    REPEATING_BYTES_MAX,
    REPEATING_SHARE,
    REPEATING_VALUES_MAX,
    Key,
    LongValues,
    NestedField,
    Wanted,
    parsed,
    text_of,
)
from runtime.clock import MICROS_PER_SECOND
from schemas.decimals import CHARACTERS_MAX, DIGITS
from schemas.endpoints import load_ways
from schemas.meta import EXTRA
from schemas.objects import Column, ColumnKind, ObjectType, object_id

LEARNT_FIELDS_MAX: Final = 64
"""Fields unknown to the schema that the short way takes; a body with others goes the long one."""
NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading raises where bytes are no JSON, or hold numbers or nesting beyond all bounds."""

Cells = tuple[Any, ...]
"""One body, before it becomes a row: a cell per field of the schema, then `extra`. JSON cells are
bytes as Stripe sent them, timestamps are seconds."""


class NotAnObject(ValueError):
    """The bytes are not a JSON object."""


class Normaliser:
    """Reads the bodies of one object type.

    Attributes:
        kinds: how each of Stripe's fields is read, in the order of their cells.
        embedded: fields that hold a whole object with an id of its own.
        apart: lists that are no part of the object's record.
        is_plain: whether the column `id` holds the field `id`, whatever else a body shows.
        learnt: fields unknown to the schema that the short way takes.
    """

    def __init__(self, object_type: ObjectType, *, long: LongValues | None = None) -> None:
        self.object_type = object_type
        self._long = LongValues(bytes_max=LONG_BYTES_MAX) if long is None else long
        self._columns = object_type.columns
        self._timestamps = [
            column.name for column in object_type.columns if column.kind is ColumnKind.TIMESTAMP
        ]
        self._canonical = {column.name: CanonicalJson() for column in object_type.columns}
        self._canonical[EXTRA] = CanonicalJson()
        self.kinds = _field_kinds(object_type.columns)
        self._positions = {source: at for at, source in enumerate(self.kinds)}
        self.embedded = _embedded_fields(object_type.columns)
        self.apart = _lists_apart(object_type.name)
        self._better_id = self._position_of_better_id()
        self._filling = Filling(object_type.columns, self.kinds, self._positions)
        self._nested = self._nested_fields()
        rule = object_type.key_rule
        self._identified_by_id = rule is not None and rule.fields == ("id",)
        self.is_plain = self._identified_by_id and self._better_id is None
        self.learnt: tuple[str, ...] = ()
        self._decoder = msgspec.json.Decoder(self._made_struct())

    def read(self, body: bytes) -> Cells:
        """The cells of a body.

        Raises:
            NotAnObject: it is not a JSON object.
        """
        if self._identified_by_id:
            try:
                return self._cells(self._decoder.decode(body))
            except msgspec.ValidationError:
                return self._read_at_length(body)
            except NOT_JSON as error:
                raise NotAnObject("the body is not JSON") from error
        return self._read_at_length(body)

    def _cells(self, body: msgspec.Struct) -> Cells:
        cells = self._with_better_id(msgspec.structs.astuple(body))
        width = len(self.kinds)
        if len(cells) == width:
            return (*cells, _ABSENT)
        return (*cells[:width], self._extra_of(cells[width:]))

    def position(self, source: str) -> int:
        """The place of a field's cell."""
        return self._positions[source]

    def identity(self, cells: Cells) -> str | None:
        """What stands in the column `id`; none for what is no stored object."""
        found = cells[0]
        return found if self.object_type.key_rule is not None and found else None

    def columns(self, rows: Sequence[Cells]) -> dict[str, list[Any]]:
        """The values of each column and of `extra`, in the record's units, row by row.

        Raises:
            NotAnObject: what is nested in one of the bodies is not JSON; which one, trying them
                one by one tells.
        """
        try:
            return self._columns_of(rows)
        except NOT_JSON as error:
            raise NotAnObject("what is nested in a body is not JSON") from error

    def _columns_of(self, rows: Sequence[Cells]) -> dict[str, list[Any]]:
        turned = list(zip(*rows, strict=True))
        texts: dict[str, list[str | None]] = {}
        nested: dict[Key, list[Any]] = {}
        for source, field in self._nested.items():
            raws = list(map(bytes, turned[self._positions[source]]))
            texts[source], cells = field.read(raws)
            nested |= cells
        found = {
            column.name: self._values(
                column, turned[self._positions[column.source]], texts, nested
            )
            for column in self._columns
        }
        self._filling.fill(found, turned, nested)
        for name in self._timestamps:
            found[name] = [
                None if cell is None else cell * MICROS_PER_SECOND for cell in found[name]
            ]
        found[EXTRA] = self._canonical[EXTRA].texts(turned[-1])
        return found

    def _values(
        self,
        column: Column,
        cells: Sequence[Any],
        texts: Mapping[str, list[str | None]],
        nested: Mapping[Key, list[Any]],
    ) -> list[Any]:
        """What a column's own field says."""
        embedded = column.source in self.embedded
        if column.kind is ColumnKind.JSON:
            if column.source in self.apart:
                return [None] * len(cells)
            if column.source not in texts:
                return self._canonical[column.name].texts(cells)
            if not embedded:
                return texts[column.source]
            # Where an embedded object comes as its id alone, only the id's column has it.
            return [
                None if text is None or text.startswith('"') else text
                for text in texts[column.source]
            ]
        if embedded:
            return nested.get(column.name) or [None] * len(cells)
        return list(cells)

    def _read_at_length(self, body: bytes) -> Cells:
        try:
            fields = msgspec.json.decode(body)
        except NOT_JSON as error:
            raise NotAnObject("the body is not JSON") from error
        if not isinstance(fields, dict):
            raise NotAnObject("the body is not a JSON object")
        extra = {name: value for name, value in fields.items() if name not in self.kinds}
        self._learn(extra)
        cells: list[Any] = []
        for source, kind in self.kinds.items():
            value = fields.get(source)
            cell = fitting(kind, value)
            if cell is None and value is not None:
                extra[source] = value
            cells.append(_ABSENT if cell is None and kind is ColumnKind.JSON else cell)
        if not self._identified_by_id:
            cells[0] = object_id(self.object_type, fields)
        found = self._with_better_id(tuple(cells))
        return (*found, msgspec.json.encode(extra) if extra else _ABSENT)

    def _position_of_better_id(self) -> int | None:
        """Of the field by which old bodies tell objects apart whose ids do not."""
        older = [feed.place.field for feed in self._columns[0].older]
        return self._positions[older[0]] if older else None

    def _with_better_id(self, cells: Cells) -> Cells:
        better = None if self._better_id is None else cells[self._better_id]
        return cells if better is None else (better, *cells[1:])

    def _learn(self, extra: Mapping[str, Any]) -> None:
        new = [name for name in extra if name not in self.learnt]
        if new and len(self.learnt) + len(new) <= LEARNT_FIELDS_MAX:
            self.learnt += tuple(new)
            self._decoder = msgspec.json.Decoder(self._made_struct())

    def _extra_of(self, learnt: Sequence[msgspec.Raw]) -> bytes | msgspec.Raw:
        found = {
            name: value for name, value in zip(self.learnt, learnt, strict=True) if bytes(value)
        }
        return msgspec.json.encode(found) if found else _ABSENT

    def _nested_fields(self) -> dict[str, NestedField]:
        """Fields of which more is needed than their text."""
        wanted: dict[str, list[Wanted]] = {source: [] for source in self.embedded}
        for column in self._columns:
            if column.source in self.embedded and column.kind is not ColumnKind.JSON:
                take = partial(fitting, column.kind)
                one = Wanted(key=column.name, place=None, take=take)
                wanted[column.source].append(one)
        for source, one in self._filling.wanted():
            wanted.setdefault(source, []).append(one)
        return {
            source: NestedField(source, found, long=self._long) for source, found in wanted.items()
        }

    def _made_struct(self) -> type[msgspec.Struct]:
        fields = [_field(source, kind) for source, kind in self.kinds.items()]
        fields += [_field(name, ColumnKind.JSON) for name in self.learnt]
        numbered = [(f"f{at}", kind, default) for at, (_, kind, default) in enumerate(fields)]
        return msgspec.defstruct(
            "Body",
            numbered,
            rename={f"f{at}": source for at, (source, _, _) in enumerate(fields)},
            forbid_unknown_fields=True,
            gc=False,
        )


class CanonicalJson:
    """JSON text with sorted names and no spaces, so that equal values have equal text.

    The values of most columns repeat from object to object, and their texts are remembered;
    where they differ from row to row, remembering them would only push out the others.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, str | None] = {}

    def texts(self, cells: Sequence[bytes | msgspec.Raw]) -> list[str | None]:
        """The canonical text of each; none for null and for what is absent."""
        if cells.count(cells[0]) == len(cells):
            # Null, an empty list, what the merchant never sets: most columns of most batches.
            return [self._text(bytes(cells[0]))] * len(cells)
        known = self._known
        # `map` over built-ins: nearly all of the time goes into walking these lists.
        raws = list(map(bytes, cells))
        missing = set(raws) - known.keys()
        if not missing:
            return list(map(known.__getitem__, raws))
        new = {raw: text_of(parsed(raw)) for raw in missing}
        texts = [new[raw] if raw in new else known[raw] for raw in raws]
        if len(missing) <= max(len(raws) * REPEATING_SHARE, 1):
            self._remember(new)
        return texts

    def _text(self, raw: bytes) -> str | None:
        if raw in self._known:
            return self._known[raw]
        text = text_of(parsed(raw))
        self._remember({raw: text})
        return text

    def _remember(self, new: Mapping[bytes, str | None]) -> None:
        if len(self._known) >= REPEATING_VALUES_MAX:
            self._known = {}
        for raw, text in new.items():
            if len(raw) <= REPEATING_BYTES_MAX:
                self._known[raw] = text


def _field_kinds(columns: Sequence[Column]) -> dict[str, ColumnKind]:
    """How each of Stripe's fields is read, in the order of the columns; the first is `id`."""
    embedded = _embedded_fields(columns)
    return {
        column.source: ColumnKind.JSON if column.source in embedded else column.kind
        for column in columns
    }


def _embedded_fields(columns: Sequence[Column]) -> frozenset[str]:
    """Fields that hold a whole object with an id of its own: they have two columns."""
    sources = [column.source for column in columns]
    return frozenset(source for source in sources if sources.count(source) > 1)


def _lists_apart(object_name: str) -> frozenset[str]:
    """Lists that Stripe shows where they are asked for, and in events of old API versions.

    Their elements have records of their own. Shown in the object's, they would come and go with
    the way in which it was had, and each time it would look changed.
    """
    ways = load_ways().get(object_name)
    children = ways.children if ways is not None else ()
    return frozenset(child.field for child in children if child.expanded_only)


def _field(source: str, kind: ColumnKind) -> tuple[str, Any, Any]:
    return (source, _READ_AS[kind], _ABSENT if kind is ColumnKind.JSON else None)


_ABSENT: Final = msgspec.Raw()
_INTEGER: Final = Annotated[int, msgspec.Meta(ge=INTEGER_MIN, le=INTEGER_MAX)]
_SECONDS: Final = Annotated[int, msgspec.Meta(ge=TIMESTAMP_SECONDS_MIN, le=TIMESTAMP_SECONDS_MAX)]
_DECIMAL: Final = Annotated[
    str, msgspec.Meta(pattern=rf"\A(?:{DIGITS})\Z", max_length=CHARACTERS_MAX)
]
_READ_AS: Final[Mapping[ColumnKind, Any]] = {
    ColumnKind.STRING: str | None,
    ColumnKind.DECIMAL: _DECIMAL | None,
    ColumnKind.REFERENCE: str | None,
    ColumnKind.BOOLEAN: bool | None,
    ColumnKind.INTEGER: _INTEGER | None,
    ColumnKind.TIMESTAMP: _SECONDS | None,
    ColumnKind.FLOAT: float | None,
    ColumnKind.JSON: msgspec.Raw,
}
