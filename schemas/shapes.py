"""What kinds of values each object type's fields hold, down to the fields of nested objects.

Read from the generated `shapes.json`: for what has to make bodies, not read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

SHAPES_FILE: Final = Path(__file__).parent / "shapes.json"


class Shape(StrEnum):
    """What kind of value a field holds, before any rule of ours is applied."""

    STRING = "string"
    ENUM = "enum"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    EXPANDABLE = "expandable"
    RESOURCE = "resource"
    NESTED = "nested"
    MAP = "map"
    LIST = "list"
    PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShape:
    """One field of an object, or of an object nested in it.

    Attributes:
        values: some of an enum's known values, the first ones.
        targets: object types that a reference or an embedded object may be of.
        of_type: the object has this field only while its `type` says so, by the field's name.
        time: an integer is seconds since 1970.
        fields: of a nested object that is always there, or is there while `type` says so.
    """

    shape: Shape
    nullable: bool = False
    values: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    of_type: bool = False
    time: bool = False
    fields: "Fields" = field(default_factory=dict)


Fields = Mapping[str, FieldShape]


@cache
def load_shapes() -> Mapping[str, Fields]:
    """The fields of every object type of the pinned package, by its name."""
    found: dict[str, Any] = orjson.loads(SHAPES_FILE.read_bytes())
    return {name: _fields(shown) for name, shown in found.items()}


def _fields(shown: Mapping[str, Any]) -> Fields:
    return {name: _field(one) for name, one in shown.items()}


def _field(shown: Mapping[str, Any]) -> FieldShape:
    return FieldShape(
        shape=Shape(shown["shape"]),
        nullable=shown.get("nullable", False),
        values=tuple(shown.get("values", ())),
        targets=tuple(shown.get("targets", ())),
        of_type=shown.get("of_type", False),
        time=shown.get("time", False),
        fields=_fields(shown.get("fields", {})),
    )
