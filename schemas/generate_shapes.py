"""Writes `shapes.json`: the shape of every field of every object type, nested ones as well.

python -m schemas.generate_shapes
"""

from typing import Any, Final

import orjson

from schemas.generate_annotations import (
    AnnotatedField,
    annotated_fields,
    annotated_objects,
    class_of,
    inner_classes,
)
from schemas.shapes import SHAPES_FILE, Shape

VALUES_MAX: Final = 6
"""Known values of an enum that are worth keeping: whoever makes bodies needs a few."""


def shapes_json() -> bytes:
    """The file, as the pinned package gives it: one line per object type."""
    lines = [
        orjson.dumps(found.name) + b": " + orjson.dumps(_shown(class_of(found.name)))
        for found in annotated_objects()
    ]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _shown(cls: type) -> dict[str, Any]:
    fields = list(annotated_fields(cls))
    types = next((found.values for found, _ in fields if found.name == "type"), ())
    return {found.name: _field(found, annotation, types) for found, annotation in fields}


def _field(found: AnnotatedField, annotation: Any, types: tuple[str, ...]) -> dict[str, Any]:
    nested = found.shape is Shape.NESTED
    of_type = nested and found.nullable and found.name in types
    shown: dict[str, Any] = {
        "shape": found.shape.value,
        "nullable": found.nullable,
        "values": found.values[:VALUES_MAX],
        "targets": found.targets,
        "of_type": of_type,
    }
    if nested and (of_type or not found.nullable):
        shown["fields"] = _shown(inner_classes(annotation)[0])
    return {name: value for name, value in shown.items() if value not in (False, ())}


if __name__ == "__main__":
    SHAPES_FILE.write_bytes(shapes_json())
