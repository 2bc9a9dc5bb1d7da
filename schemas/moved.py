"""Values that Stripe moved: where bodies of old API versions have them, and where the newest has.

The moves are data, `moves.json`; which fields there were in which version is `history.json`. A
column is filled from either place, so that it means the same whichever version a body is in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.columns import Column, ColumnKind, Feed, Part
from schemas.conversions import Conversion, Convert
from schemas.history import Lifetime, load_history
from schemas.places import Pick, Place, place_of

MOVES_FILE: Final = Path(__file__).parent / "moves.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One value of an object type that stood elsewhere in older API versions.

    Attributes:
        old: its place in bodies of versions up to `lifetime(...).last`.
        new: its place in the newest shape.
        conversion: how the two values go together.
        forth: whether the old value, converted, is what would stand at the new place.
        back: whether the new value, converted, is what would stand at the old place.
        typed: the object that `new` is in names in its `type` which of its fields it has.
        when: a field of old bodies and what it must hold, where that decides between new places.
    """

    old: Place
    new: Place
    conversion: Conversion = Conversion.SAME
    forth: bool = True
    back: bool = True
    typed: bool = False
    when: tuple[str, str] | None = None

    @property
    def newer(self) -> Convert | None:
        """From the old value to the new one; none if that is not told."""
        return self.conversion.newer if self.forth else None

    @property
    def older(self) -> Convert | None:
        """From the new value to the old one; none if that is not told."""
        return self.conversion.older if self.back else None

    @property
    def is_computed(self) -> bool:
        """Whether the old value can only be computed from the new one, so that it goes last."""
        return self.conversion.newer is None

    def lifetime(self, object_name: str) -> Lifetime:
        """In which versions the field of the old place stood."""
        return load_history().fields[object_name][self.old.field]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What `moves.json` says.

    Attributes:
        by_type: object name -> its moves; where several fill one column, the first goes first.
        unmoved: `type.field` of a removed field without a new place -> why it has none.
        inherited: object name -> list -> fields that stood on the object when they were the same
            for all elements of the list, and stand on each element now.
    """

    by_type: Mapping[str, tuple[Moved, ...]]
    unmoved: Mapping[str, str]
    inherited: Mapping[str, Mapping[str, tuple[str, ...]]]


@cache
def load_moves() -> Moves:
    """The moves as they stand in the file."""
    found: dict[str, Any] = orjson.loads(MOVES_FILE.read_bytes())
    return Moves(
        by_type={name: tuple(map(_moved, moves)) for name, moves in found["moves"].items()},
        unmoved=found["unmoved"],
        inherited={
            name: {field: tuple(told) for field, told in lists.items()}
            for name, lists in found["inherited"].items()
        },
    )


def _moved(told: Mapping[str, Any]) -> Moved:
    when = told.get("when")
    return Moved(
        old=place_of(told["old"]),
        new=place_of(told["new"]),
        conversion=Conversion(told.get("as", Conversion.SAME)),
        forth=told.get("forth", True),
        back=told.get("back", True),
        typed=told.get("typed", False),
        when=(when[0], when[1]) if when else None,
    )


def newer_feeds(moves: tuple[Moved, ...], field: str) -> Iterator[Feed]:
    """Where the newest shape has what an old field held.

    Lists of taxes are not written anew in their old form: that would cost each new body more than
    it is worth, since the new column has them from bodies of every version.
    """
    for move in moves:
        worth = not move.is_computed and move.conversion is not Conversion.TAXES
        if move.old.path == (field,) and move.older is not None and worth:
            yield Feed(place=move.new, convert=move.older)


def older_feeds(moves: tuple[Moved, ...], field: str) -> Iterator[Feed]:
    """What tells a field's value where neither it nor a newer place does."""
    for move in moves:
        if move.old.path == (field,) and move.older is not None and move.is_computed:
            yield Feed(place=move.new, convert=move.older)
    for move in moves:
        if move.new.path == (field,) and move.newer is not None:
            yield Feed(place=move.old, convert=move.newer)
    for move in moves:
        if move.old.path == (field,) and move.older is not None:
            yield from _siblings(moves, move, move.older)


def _siblings(moves: tuple[Moved, ...], move: Moved, older: Convert) -> Iterator[Feed]:
    """Where yet other versions have what stands at the move's new place."""
    for other in moves:
        if other.new == move.new and other.old != move.old and other.newer is not None:
            yield Feed(place=other.old, convert=_one_after_the_other(other.newer, older))


def _one_after_the_other(first: Convert, second: Convert) -> Convert:
    def convert(value: Any) -> Any:
        between = first(value)
        return None if between is None else second(between)

    return convert


def parts(moves: tuple[Moved, ...], field: str) -> Iterator[Part]:
    """What a nested object of the newest shape is made of where older bodies have its values."""
    for move in moves:
        within = len(move.new.path) > 1 and move.new.field == field
        if within and move.new.pick is Pick.NONE and move.newer is not None:
            yield Part(
                place=move.new,
                feed=Feed(place=move.old, convert=move.newer),
                typed=move.typed,
                when=move.when,
            )


def fed(object_name: str, column: Column) -> Column:
    """The column with all the places that it is filled from."""
    moves = load_moves().by_type.get(object_name, ())
    nested = column.kind is ColumnKind.JSON
    return Column(
        name=column.name,
        source=column.source,
        kind=column.kind,
        doc=column.doc,
        newer=tuple(newer_feeds(moves, column.source)),
        older=tuple(older_feeds(moves, column.source)),
        parts=tuple(parts(moves, column.source)) if nested else (),
    )
