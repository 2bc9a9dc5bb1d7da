"""Reads the fields of every object type from Stripe's specification of an older API version."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from schemas.generate_history_wheels import Read
from schemas.history import Lifetime
from schemas.shapes import Shape

Schema = Mapping[str, Any]


def read_specification(path: Path) -> Read:
    """The object types of one specification; a file of YAML takes some seconds."""
    content = path.read_bytes()
    found: Any = (
        orjson.loads(content)
        if path.suffix == ".json"
        else yaml.load(content, Loader=yaml.CSafeLoader)
    )
    version = found["info"]["version"]
    schemas: Mapping[str, Schema] = found["components"]["schemas"]
    return Read(
        version=version,
        origin=f"stripe/openapi {path.stem}",
        fields={
            name: {
                field: _lifetime(value, schemas, version)
                for field, value in schema["properties"].items()
            }
            for name, schema in _objects(schemas)
        },
    )


def _objects(schemas: Mapping[str, Schema]) -> Iterator[tuple[str, Schema]]:
    """Each object type once: what is shown of a deleted object is not the type."""
    found: dict[str, Schema] = {}
    for schema in schemas.values():
        name = _object_name(schema)
        alive = name and "deleted" not in schema["properties"]
        if alive and (name not in found or "x-resourceId" in schema):
            found[name] = schema
    yield from found.items()


def _object_name(schema: Schema) -> str:
    said = schema.get("properties", {}).get("object", {}).get("enum", ())
    return said[0] if len(said) == 1 and said[0] != "list" else ""


def _lifetime(value: Schema, schemas: Mapping[str, Schema], version: str) -> Lifetime:
    branches = list(_branches(value))
    targets = tuple(
        sorted({name for branch in branches if (name := _object_name(_meant(branch, schemas)))})
    )
    shape = _shape(value, branches, targets)
    kept = targets if shape in (Shape.EXPANDABLE, Shape.RESOURCE) else ()
    return Lifetime(first=version, last=version, shape=shape, targets=kept)


def _branches(value: Schema) -> Iterator[Schema]:
    if "anyOf" not in value:
        yield value
    for branch in value.get("anyOf", ()):
        # An empty text among the possible values is how a specification says "or unset".
        if branch.get("enum") != [""]:
            yield from _branches(branch)


def _meant(branch: Schema, schemas: Mapping[str, Schema]) -> Schema:
    return schemas[branch["$ref"].rpartition("/")[2]] if "$ref" in branch else branch


def _shape(value: Schema, branches: list[Schema], targets: tuple[str, ...]) -> Shape:
    if "x-expansionResources" in value:
        return Shape.EXPANDABLE
    if any("$ref" in branch for branch in branches):
        return Shape.RESOURCE if targets else Shape.NESTED
    (branch,) = branches[:1]
    match branch.get("type"):
        case "object" if "data" in branch.get("properties", {}):
            return Shape.PAGE
        case "object" if "properties" in branch:
            return Shape.NESTED
        case "string" if branch.get("format") == "decimal":
            return Shape.DECIMAL
        case "string":
            return Shape.ENUM if "enum" in branch else Shape.STRING
        case kind:
            return _SHAPES[kind]


_SHAPES: Final = {
    "boolean": Shape.BOOLEAN,
    "integer": Shape.INTEGER,
    "number": Shape.FLOAT,
    "array": Shape.LIST,
    "object": Shape.MAP,
    None: Shape.NESTED,
}
