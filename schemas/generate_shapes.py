"""Writes `shapes.json`: the shape of every field of every object type, nested ones as well.

python -m schemas.generate_shapes
"""

from collections.abc import Collection
from typing import Any, Final

import orjson

from schemas.generate_annotations import (
    AnnotatedField,
    annotated_fields,
    annotated_objects,
    class_of,
    inner_classes,
)
from schemas.generate_reviewed import read_reviewed
from schemas.shapes import SHAPES_FILE, Shape

VALUES_MAX: Final = 6
"""Known values of an enum that are worth keeping: whoever makes bodies needs a few."""


def shapes_json() -> bytes:
    """The file, as the pinned package gives it: one line per object type."""
    times = read_reviewed().times
    lines = [
        orjson.dumps(found.name) + b": " + orjson.dumps(_shown(class_of(found.name), times))
        for found in annotated_objects()
    ]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _shown(cls: type, times: Collection[str]) -> dict[str, Any]:
    fields = list(annotated_fields(cls))
    types = next((found.values for found, _ in fields if found.name == "type"), ())
    shown = {}
    for found, annotation in fields:
        of_type = found.shape is Shape.NESTED and found.nullable and found.name in types
        shown[found.name] = _field(found, of_type=of_type, times=times)
        if found.shape is Shape.NESTED and (of_type or not found.nullable):
            shown[found.name]["fields"] = _shown(inner_classes(annotation)[0], times)
    return shown


def _field(found: AnnotatedField, *, of_type: bool, times: Collection[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "shape": found.shape.value,
        "nullable": found.nullable,
        "values": found.values[:VALUES_MAX],
        "targets": found.targets,
        "of_type": of_type,
        "time": found.shape is Shape.INTEGER and found.name in times,
    }
    return {name: value for name, value in shown.items() if value not in (False, ())}


if __name__ == "__main__":
    SHAPES_FILE.write_bytes(shapes_json())
