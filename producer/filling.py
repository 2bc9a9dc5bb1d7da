"""Fills a column from the places where bodies of other API versions have its value.

What it goes by is data, `schemas/moves.json`. A batch of bodies in the newest shape has nothing at
the old places, and costs a look at each of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from producer.fitting import fitting
from producer.nested import Key, Taken, Wanted, text_of
from schemas.columns import Column, ColumnKind, Feed, Part
from schemas.conversions import Convert, same

Cells = Sequence[Any]
"""One value for each body of a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """One place that a column is filled from, and how the value there becomes a cell."""

    key: Key
    feed: Feed
    take: Taken
    part: Part | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """All places that one column is filled from."""

    newer: tuple[_Draw, ...]
    older: tuple[_Draw, ...]
    parts: tuple[_Draw, ...]


class Filling:
    """The other places of all columns of one object type."""

    def __init__(
        self,
        columns: Sequence[Column],
        kinds: Mapping[str, ColumnKind],
        positions: Mapping[str, int],
    ) -> None:
        self._kinds = kinds
        self._positions = positions
        self._fills = {
            column.name: _fill_of(column, kinds)
            for column in columns
            if column.newer or column.older or column.parts
        }

    def wanted(self) -> Iterator[tuple[str, Wanted]]:
        """What is needed of nested fields, with each field's name."""
        for fill in self._fills.values():
            for draw in (*fill.newer, *fill.older, *fill.parts):
                field = draw.feed.place.field
                if self._kinds[field] is ColumnKind.JSON:
                    yield field, Wanted(key=draw.key, place=draw.feed.place, take=draw.take)

    def fill(
        self,
        columns: Mapping[str, list[Any]],
        turned: Sequence[Cells],
        nested: Mapping[Key, Cells],
    ) -> None:
        """Overwrite what newer places tell, and fill gaps with what older places tell.

        Args:
            columns: the cells of each of the type's columns, which are changed.
            turned: field by field, the cells of the bodies.
            nested: what was taken of nested fields; nothing for a field that no body has.
        """
        for name, fill in self._fills.items():
            found = columns[name]
            for draw in reversed(fill.newer):
                _overwrite(found, self._cells(draw, turned, nested))
            if fill.older and None in found:
                for draw in fill.older:
                    _fill_gaps(found, self._cells(draw, turned, nested))
            if fill.parts and None in found:
                self._assemble(fill.parts, found, turned, nested)

    def _cells(self, draw: _Draw, turned: Sequence[Cells], nested: Mapping[Key, Cells]) -> Cells:
        """One cell for each body; nothing where no body has anything at the place."""
        if self._kinds[draw.feed.place.field] is ColumnKind.JSON:
            return nested.get(draw.key, ())
        cells = turned[self._positions[draw.feed.place.field]]
        if cells.count(None) == len(cells):
            return ()
        if draw.take is same:
            return cells
        return [None if cell is None else draw.take(cell) for cell in cells]

    def _assemble(
        self,
        draws: Sequence[_Draw],
        found: list[Any],
        turned: Sequence[Cells],
        nested: Mapping[Key, Cells],
    ) -> None:
        """Make the nested object where a body has its parts in other places."""
        drawn = [
            (draw.part, cells)
            for draw in draws
            if draw.part is not None and (cells := self._cells(draw, turned, nested))
        ]
        for at in range(len(found) if drawn else 0):
            if found[at] is None:
                made: dict[str, Any] = {}
                for part, cells in drawn:
                    if cells[at] is not None and self._applies(part, turned, at):
                        _put(part, made, cells[at])
                found[at] = text_of(made[part.place.field]) if made else None

    def _applies(self, part: Part, turned: Sequence[Cells], at: int) -> bool:
        if part.when is None:
            return True
        field, value = part.when
        return bool(turned[self._positions[field]][at] == value)


def _overwrite(found: list[Any], cells: Cells) -> None:
    if cells and found.count(None) == len(found):
        found[:] = cells
        return
    for at, cell in enumerate(cells):
        if cell is not None:
            found[at] = cell


def _fill_gaps(found: list[Any], cells: Cells) -> None:
    for at, cell in enumerate(cells):
        if cell is not None and found[at] is None:
            found[at] = cell


def _put(part: Part, made: dict[str, Any], value: Any) -> None:
    if part.place.find(made) is None:
        part.place.put(made, value)
        if part.typed:
            made[part.place.field].setdefault("type", part.place.path[1])


def _fill_of(column: Column, kinds: Mapping[str, ColumnKind]) -> _Fill:
    return _Fill(
        newer=tuple(_draws(column, "newer", column.newer, kinds)),
        older=tuple(_draws(column, "older", column.older, kinds)),
        parts=tuple(
            _Draw(
                key=f"{column.name} part {number}",
                feed=part.feed,
                take=part.feed.convert,
                part=part,
            )
            for number, part in enumerate(column.parts)
        ),
    )


def _draws(
    column: Column, word: str, feeds: Sequence[Feed], kinds: Mapping[str, ColumnKind]
) -> Iterator[_Draw]:
    for number, feed in enumerate(feeds):
        fits = kinds[feed.place.field] is column.kind and column.kind is not ColumnKind.JSON
        take = same if fits and feed.convert is same else _taken(column.kind, feed.convert)
        yield _Draw(key=f"{column.name} {word} {number}", feed=feed, take=take)


def _taken(kind: ColumnKind, convert: Convert) -> Taken:
    """From the value at a place to the column's cell."""
    if kind is ColumnKind.JSON:
        return lambda value: _text(convert(value))
    if convert is same:
        return partial(fitting, kind)
    return lambda value: fitting(kind, convert(value))


def _text(value: Any) -> str | None:
    """A nested value's canonical text; an object that is shown by its id alone has none."""
    return text_of(value) if isinstance(value, _NESTED) else None


_NESTED: Final = (dict, list)
