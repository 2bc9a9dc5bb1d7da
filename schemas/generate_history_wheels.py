"""Reads the fields of every v1 object type from a wheel of the `stripe` package.

Older releases do not run beside the pinned one, so their source is parsed and never imported.
"""

import ast
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.history import Lifetime
from schemas.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one file says of one API version.

    Attributes:
        origin: the file, in words.
    """

    version: str
    origin: str
    fields: Mapping[str, Mapping[str, Lifetime]]


def read_wheel(path: Path) -> Read:
    """The object types of the API version that a release was made for."""
    with zipfile.ZipFile(path) as wheel:
        sources = {
            name: wheel.read(name).decode()
            for name in wheel.namelist()
            if name.startswith("stripe/") and name.endswith(".py") and "/v2/" not in name
        }
    version = _CURRENT.search(sources["stripe/_api_version.py"])
    assert version is not None
    classes = list(_classes(sources))
    # Classes of the package's inner folders may share a name; a field means the outermost.
    objects = {cls.name: object_name(cls) for cls in reversed(classes)}
    return Read(
        version=version[1],
        origin=f"stripe {path.name.split('-')[1]}",
        fields={
            object_name(cls): dict(_fields(cls, objects, version[1]))
            for cls in classes
            if object_name(cls) not in ("", "list", "search_result")
        },
    )


def object_name(cls: ast.ClassDef) -> str:
    """The Stripe object that a class stands for; nothing if it stands for none."""
    for line in cls.body:
        if isinstance(line, ast.AnnAssign) and ast.unparse(line.target) == "OBJECT_NAME":
            value = line.value.value if isinstance(line.value, ast.Constant) else None
            return value if isinstance(value, str) else ""
    return ""


def _classes(sources: Mapping[str, str]) -> Iterator[ast.ClassDef]:
    """The classes of every module, those of the outermost folder first."""
    for name in sorted(sources, key=lambda name: (name.count("/"), name)):
        lines = ast.parse(sources[name]).body
        yield from (line for line in lines if isinstance(line, ast.ClassDef))


def _fields(
    cls: ast.ClassDef, objects: Mapping[str, str], version: str
) -> Iterator[tuple[str, Lifetime]]:
    nested = {line.name for line in cls.body if isinstance(line, ast.ClassDef)}
    for line in cls.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name, annotation = line.target.id, _Annotation(line.annotation)
            if not name.startswith("_") and "ClassVar" not in annotation.names:
                shape = annotation.shape(nested)
                targets = {objects[one] for one in annotation.names if objects.get(one)}
                kept = targets if shape not in (Shape.NESTED, Shape.LIST, Shape.PAGE) else ()
                yield (
                    name,
                    Lifetime(
                        first=version, last=version, shape=shape, targets=tuple(sorted(kept))
                    ),
                )


class _Annotation:
    """The names in an annotation, outermost first; what a literal may be does not count."""

    def __init__(self, annotation: ast.expr) -> None:
        text = ast.unparse(annotation)
        self._numbers = bool(re.search(r"Literal\[(True|False)\]", text))
        self.names = re.findall(r"\w+", re.sub(r"Literal\[[^\]]*\]", "Literal", text))

    def shape(self, nested: set[str]) -> Shape:
        first = next(name for name in self.names if name not in ("Optional", "Union"))
        if first == "Literal":
            return Shape.BOOLEAN if self._numbers else Shape.ENUM
        if first in _SHAPES:
            return _SHAPES[first]
        return Shape.NESTED if first in nested else Shape.RESOURCE


_CURRENT: Final = re.compile(r'CURRENT\s*=\s*"([^"]+)"')
_SHAPES: Final = {
    "str": Shape.STRING,
    "bool": Shape.BOOLEAN,
    "int": Shape.INTEGER,
    "float": Shape.FLOAT,
    "Decimal": Shape.DECIMAL,
    "ExpandableField": Shape.EXPANDABLE,
    "Dict": Shape.MAP,
    "UntypedStripeObject": Shape.MAP,
    "List": Shape.LIST,
    "ListObject": Shape.PAGE,
}
