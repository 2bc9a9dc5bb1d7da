"""What the pinned `stripe` package says about every v1 object type: fields and annotations.

The package's own annotations name classes that it imports for type checkers only. They are made
real here, module by module, so that each annotation can be evaluated.
"""

import ast
import importlib
import inspect
import textwrap
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import stripe
from stripe import ListObject, StripeObject
from stripe._object_classes import OBJECT_CLASSES

from schemas.shapes import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedField:
    """One field of an object type.

    Attributes:
        words: the package's text on the field, for rules only; it is never written anywhere.
        targets: object types that a reference or an embedded object may be of.
        values: known values of an enum.
    """

    name: str
    shape: Shape
    nullable: bool
    words: str
    targets: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedObject:
    """One v1 object type of the package and its fields, in the package's order."""

    name: str
    fields: tuple[AnnotatedField, ...]

    def field(self, name: str) -> AnnotatedField | None:
        """The field of that name, if the type has it."""
        return next((field for field in self.fields if field.name == name), None)


API_VERSION: str = stripe.api_version
PACKAGE_VERSION: str = stripe.VERSION


def annotated_objects() -> Iterator[AnnotatedObject]:
    """Every v1 object type that the package has a class for, by name.

    Aliases (an object name that is not the class' own) and the envelopes of lists are left out.
    """
    for name in sorted(OBJECT_CLASSES):
        cls = class_of(name)
        if getattr(cls, "OBJECT_NAME", None) == name and not _is_envelope(cls):
            fields = tuple(field for field, _ in annotated_fields(cls))
            yield AnnotatedObject(name=name, fields=fields)


def class_of(name: str) -> type:
    """The package's class of an object type."""
    module_name, class_name = OBJECT_CLASSES[name]
    cls: type = getattr(importlib.import_module(module_name), class_name)
    return cls


def inner_classes(annotation: Any) -> list[type]:
    """The classes of Stripe objects that a field's value, or an element of it, may be of."""
    parts = [arg for branch in _branches(annotation) for arg in (branch, *get_args(branch))]
    return [part for part in parts if isinstance(part, type) and issubclass(part, StripeObject)]


def _is_envelope(cls: type) -> bool:
    return issubclass(cls, ListObject | stripe.SearchResultObject)


def annotated_fields(cls: type) -> Iterator[tuple[AnnotatedField, Any]]:
    """The fields of an object type's class, or of one nested in it, with their annotations."""
    words = _words(cls)
    for name, annotation in own_annotations(cls).items():
        if get_origin(annotation) is not typing.ClassVar and not name.startswith("_"):
            yield _field(name, annotation, words.get(name, "")), annotation


def own_annotations(cls: type) -> dict[str, Any]:
    """The annotations written in the class itself, not in those it inherits from, evaluated."""
    module = importlib.import_module(cls.__module__)
    names = vars(module) | type_checking_names(module)
    nested = {name: value for name, value in vars(cls).items() if isinstance(value, type)}
    own = types.SimpleNamespace(__annotations__=vars(cls).get("__annotations__", {}))
    return typing.get_type_hints(own, globalns=names, localns=nested)


@cache
def type_checking_names(module: types.ModuleType) -> dict[str, Any]:
    """What a module imports for type checkers only."""
    names: dict[str, Any] = {}
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            for line in statement.body:
                if isinstance(line, ast.ImportFrom) and line.module is not None:
                    source = importlib.import_module(line.module)
                    for alias in line.names:
                        names[alias.asname or alias.name] = getattr(source, alias.name)
    return names


def _words(cls: type) -> dict[str, str]:
    """The string that stands below each annotation in the class' source."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for line, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[line.target.id] = " ".join(str(below.value.value).split())
    return found


def _field(name: str, annotation: Any, words: str) -> AnnotatedField:
    branches = [branch for branch in _branches(annotation) if branch is not type(None)]
    shape = _shape(branches)
    return AnnotatedField(
        name=name,
        shape=shape,
        nullable=len(branches) < len(_branches(annotation)),
        words=words,
        targets=_targets(branches),
        values=tuple(str(value) for value in _literals(branches)),
    )


def _branches(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(inner for branch in get_args(annotation) for inner in _branches(branch))
    return (annotation,)


_PLAIN = {
    str: Shape.STRING,
    bool: Shape.BOOLEAN,
    int: Shape.INTEGER,
    float: Shape.FLOAT,
    Decimal: Shape.DECIMAL,
}


def _targets(branches: list[Any]) -> tuple[str, ...]:
    inner = [part for branch in branches for arg in get_args(branch) for part in _branches(arg)]
    return tuple(sorted({found for part in branches + inner if (found := object_name(part))}))


def _literals(branches: list[Any]) -> list[object]:
    return [v for branch in branches if get_origin(branch) is Literal for v in get_args(branch)]


def _shape(branches: list[Any]) -> Shape:
    literals = _literals(branches)
    objects = [branch for branch in branches if _is_object(branch)]
    if objects and str in branches:
        return Shape.EXPANDABLE
    if objects:
        return _object_shape(objects)
    if literals and all(isinstance(value, bool) for value in literals):
        return Shape.BOOLEAN
    if literals and all(isinstance(value, str) for value in literals):
        return Shape.ENUM
    if len(branches) == 1:
        if get_origin(branches[0]) is list:
            return Shape.LIST
        if branches[0] in _PLAIN:
            return _PLAIN[branches[0]]
    raise TypeError(f"no shape is known for {branches}")


def _object_shape(objects: list[Any]) -> Shape:
    first = get_origin(objects[0]) or objects[0]
    if issubclass(first, ListObject):
        return Shape.PAGE
    if issubclass(first, stripe._stripe_object.UntypedStripeObject):
        return Shape.MAP
    if any(object_name(branch) for branch in objects):
        return Shape.RESOURCE
    return Shape.NESTED


def _is_object(branch: Any) -> bool:
    cls = get_origin(branch) or branch
    return isinstance(cls, type) and issubclass(cls, StripeObject)


def object_name(branch: Any) -> str | None:
    """The Stripe object that a class stands for, if it is one."""
    name = getattr(branch, "OBJECT_NAME", None) if isinstance(branch, type) else None
    return name if isinstance(name, str) else None
