"""Fields of which more is needed than their text: read value by value, and let go at once.

Keeping a batch's parsed values alive costs more than parsing them: thousands of dictionaries do
not fit the processor's caches. So all that is wanted of a value is taken while it is at hand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from producer.kept import Kept
from schemas.places import Place

Row = tuple[Any, ...]
Key = str
"""What a column's cells of one place are asked for by."""

LongValues = Kept[tuple["NestedField", bytes], Row]
"""What was made of long values, by field and bytes; shared by all types, so that it is bounded."""

Taken = Callable[[Any], Any]
"""A column's cell, made of the value that was found; none if it does not fit."""


REPEATING_BYTES_MAX: Final = 512
REPEATING_VALUES_MAX: Final = 5_000
LONG_BYTES_MAX: Final = 67_108_864
"""Of the long values of all fields and types that are remembered, twice over, with their texts."""
SHARED_VALUE_BYTES_MAX: Final = 2_048
"""What is longer is mostly a list, which no two objects share."""
REPEATING_SHARE: Final = 0.25
"""Of a batch's values in one field: more that are new are not remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One column's share in a field: its cell is made of the value at a place of the field.

    Attributes:
        key: what the cells are asked for by.
        place: none for the field's value itself.
        take: what makes the cell of a value that is not null.
    """

    key: Key
    place: Place | None
    take: Taken

    @property
    def name(self) -> str:
        """What the value is called in what holds it."""
        return "" if self.place is None else self.place.path[-1]


class NestedField:
    """One field of an object type, whose values several columns are made of."""

    def __init__(self, source: str, wanted: Sequence[Wanted], *, long: "LongValues") -> None:
        self._source = source
        self._long = long
        itself = [one for one in wanted if _is_itself(one)]
        within: dict[Any, tuple[Place, list[Wanted]]] = {}
        for one in wanted:
            if one.place is not None and not _is_itself(one):
                # Places that differ in their last name only are looked for once.
                shared = (one.place.path[:-1], one.place.pick, one.place.by)
                within.setdefault(shared, (one.place, []))[1].append(one)
        inner = [one for _, together in within.values() for one in together]
        self._itself = [one.take for one in itself]
        self._within = [
            (place.holder, [(one.name, one.take) for one in together])
            for place, together in within.values()
        ]
        self._keys = [one.key for one in (*itself, *inner)]
        self._nothing: Row = (None,) * (1 + len(self._keys))
        self._known: dict[bytes, Row] = {}

    def read(self, raws: Sequence[bytes]) -> tuple[list[str | None], dict[Key, list[Any]]]:
        """The canonical text of each value, and the cells by key; none where no body has any."""
        if not any(raws):
            return [None] * len(raws), {}
        known, row = self._known, self._row
        short = {raw for raw in raws if len(raw) <= REPEATING_BYTES_MAX}
        new = {raw: row(raw) for raw in short - known.keys()}
        rows = [
            (new.get(raw) or known[raw])
            if len(raw) <= REPEATING_BYTES_MAX
            else self._long_row(raw)
            for raw in raws
        ]
        if len(new) <= max(len(raws) * REPEATING_SHARE, 1):
            self._remember(new)
        texts, *cells = map(list, zip(*rows, strict=True))
        return texts, dict(zip(self._keys, cells, strict=True))

    def _long_row(self, raw: bytes) -> Row:
        """The same of a long value: a price stands in the items of many subscriptions."""
        if len(raw) > SHARED_VALUE_BYTES_MAX:
            return self._row(raw)
        key = (self, raw)
        found = self._long.get(key)
        if found is None:
            found = self._row(raw)
            self._long.keep(key, found, len(raw) + len(found[0] or ""))
        return found

    def _row(self, raw: bytes) -> Row:
        """The text of one value and its cells, in the order of the keys."""
        value = parsed(raw)
        if value is None:
            return self._nothing
        row = [text_of(value), *[take(value) for take in self._itself]]
        body = {self._source: value}
        for holder_in, together in self._within:
            holder = holder_in(body) or _EMPTY
            for name, take in together:
                inner = holder.get(name)
                row.append(None if inner is None else take(inner))
        return tuple(row)

    def _remember(self, new: Mapping[bytes, Row]) -> None:
        """Keep short values that repeat from object to object: null, an empty list, all unset."""
        if len(self._known) >= REPEATING_VALUES_MAX:
            self._known = {}
        self._known |= new


def _is_itself(one: Wanted) -> bool:
    return one.place is None or len(one.place.path) == 1


def parsed(raw: bytes) -> Any:
    """A JSON value; none for what is absent."""
    return _DECODE(raw) if raw else None


def text_of(value: Any) -> str | None:
    """The canonical text of a value: sorted names, no spaces; none for null."""
    return None if value is None else _ENCODE(value).decode()


_EMPTY: Final[Mapping[str, Any]] = {}
_DECODE: Final[Callable[[bytes], Any]] = msgspec.json.Decoder().decode
_ENCODE: Final[Callable[[Any], bytes]] = msgspec.json.Encoder(order="sorted").encode
