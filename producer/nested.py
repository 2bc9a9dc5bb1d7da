"""Fields of which more is needed than their text: read value by value, and let go at once.

Keeping a batch's parsed values alive costs more than parsing them: thousands of dictionaries do
not fit the processor's caches. So all that is wanted of a value is taken while it is at hand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.places import Place

Taken = Callable[[Any], Any]
"""A column's cell, made of the value that was found; none if it does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One column's share in a field: its cell is made of the value at a place of the field.

    Attributes:
        column: its name.
        place: none for the field's value itself.
        take: what makes the cell.
    """

    column: str
    place: Place | None
    take: Taken


class NestedField:
    """One field of an object type, whose values several columns are made of."""

    def __init__(self, source: str, wanted: Sequence[Wanted]) -> None:
        self._source = source
        self._itself = [(one.column, one.take) for one in wanted if one.place is None]
        self._holders: dict[tuple[tuple[str, ...], str, str], Place] = {}
        self._within: dict[tuple[tuple[str, ...], str, str], list[tuple[Wanted, str]]] = {}
        for one in wanted:
            if one.place is not None:
                # Places that differ in their last name only are looked for once.
                shared = (one.place.path[:-1], one.place.lowest, one.place.flagged)
                self._holders[shared] = one.place
                self._within.setdefault(shared, []).append((one, one.place.path[-1]))

    def read(
        self, raws: Sequence[bytes]
    ) -> tuple[list[str | None], dict[tuple[str, Place | None], list[Any]]]:
        """The canonical text of each value, and the cells of each column and place."""
        texts: list[str | None] = []
        cells: dict[tuple[str, Place | None], list[Any]] = {}
        itself = [(cells.setdefault((column, None), []), take) for column, take in self._itself]
        within = [
            (
                self._holders[shared].holder,
                [
                    (cells.setdefault((one.column, one.place), []), one.take, name)
                    for one, name in together
                ],
            )
            for shared, together in self._within.items()
        ]
        for raw in raws:
            value = parsed(raw)
            texts.append(text_of(value))
            for found, take in itself:
                found.append(take(value))
            for holder_in, together in within:
                holder = holder_in({self._source: value})
                for found, take, name in together:
                    found.append(None if holder is None else take(holder.get(name)))
        return texts, cells


def parsed(raw: bytes) -> Any:
    """A JSON value; none for what is absent."""
    return _DECODE(raw) if raw else None


def text_of(value: Any) -> str | None:
    """The canonical text of a value: sorted names, no spaces; none for null."""
    return None if value is None else _ENCODE(value).decode()


_DECODE: Final[Callable[[bytes], Any]] = msgspec.json.Decoder().decode
_ENCODE: Final[Callable[[Any], bytes]] = msgspec.json.Encoder(order="sorted").encode
