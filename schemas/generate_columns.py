"""From an annotated field to columns: the rules of the record.

The annotations tell neither a time from a number nor an id from a text. Both are told by the
field's name, from lists that a person reviewed; an integer in no list stops the generator.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, assert_never

from schemas.columns import PARENT_ID, PARENT_SOURCE, Column, ColumnKind
from schemas.generate_annotations import AnnotatedField, AnnotatedObject
from schemas.generate_reviewed import Reviewed
from schemas.history import History, Lifetime
from schemas.moved import load_moves
from schemas.places import place_text
from schemas.shapes import Shape

VALUES_LISTED_MAX: Final = 24


class NotReviewed(Exception):
    """An integer field is in no list of `reviewed.json`; read what it is and put it into one."""


class NameTaken(Exception):
    """Two fields of a type would give one column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How fields become columns, given what was reviewed and what once stood."""

    reviewed: Reviewed
    history: History

    def columns(self, annotated: AnnotatedObject) -> tuple[Column, ...]:
        """The columns of an object type: `id`, then in the package's order, then removed ones.

        Raises:
            NotReviewed: an integer field is in no list.
            NameTaken: two fields would give one column.
        """
        columns: dict[str, Column] = {}
        for column in self._in_order(annotated):
            if column.name in columns:
                raise NameTaken(f"{annotated.name}.{column.name}")
            columns[column.name] = column
        return tuple(columns.values())

    def _in_order(self, annotated: AnnotatedObject) -> Iterator[Column]:
        yield self._id_column(annotated)
        for field in annotated.fields:
            if field.name != "id":
                yield from self._columns(annotated.name, field)
        for name, lifetime in self.history.removed(annotated.name).items():
            yield from self._kept_columns(annotated.name, name, lifetime)
        if annotated.name in self.reviewed.without_parent:
            yield Column(
                name=PARENT_ID,
                source=PARENT_SOURCE,
                kind=ColumnKind.REFERENCE,
                doc="The id of the object whose list it stands in.",
            )

    def _id_column(self, annotated: AnnotatedObject) -> Column:
        key = self.reviewed.natural_keys.get(annotated.name)
        doc = "Stripe's id of the object."
        if key is not None:
            made_of = " and ".join(f"`{field}`" for field in key)
            doc = f"Made of Stripe's {made_of}." if key else "There is one for each account."
        return Column(name="id", source="id", kind=ColumnKind.STRING, doc=doc)

    def _columns(self, object_name: str, field: AnnotatedField) -> Iterator[Column]:
        if self._is_reference(object_name, field):
            yield _reference(field)
            return
        kind = self._kind(object_name, field)
        doc = f"Stripe's `{field.name}`: {_what(field, kind)}."
        yield Column(name=field.name, source=field.name, kind=kind, doc=doc)
        if field.shape is Shape.RESOURCE and not self._has_natural_key(field.targets):
            yield _reference(field)

    def _kept_columns(self, object_name: str, name: str, lifetime: Lifetime) -> Iterator[Column]:
        """The columns of a field that the newest API version no longer has."""
        # The values that an enum once had are not kept.
        shape = Shape.STRING if lifetime.shape is Shape.ENUM else lifetime.shape
        field = AnnotatedField(
            name=name, shape=shape, nullable=True, words="", targets=lifetime.targets
        )
        places = [
            place_text(move.new)
            for move in load_moves().by_type.get(object_name, ())
            if move.old.path == (name,) and move.older is not None
        ]
        now = f"now told by `{'` or `'.join(places)}`" if places else "gone since"
        for column in self._columns(object_name, field):
            doc = f"{column.doc.removesuffix('.')}; up to {lifetime.last}, {now}."
            yield replace(column, doc=doc)

    def _is_reference(self, object_name: str, field: AnnotatedField) -> bool:
        if field.shape is Shape.EXPANDABLE:
            return True
        return field.shape is Shape.STRING and (
            field.name in self.reviewed.references
            or f"{object_name}.{field.name}" in self.reviewed.references_of_one_type
        )

    def _has_natural_key(self, targets: tuple[str, ...]) -> bool:
        without_id = self.reviewed.natural_keys.keys() | self.reviewed.not_stored.keys()
        return any(target in without_id for target in targets)

    def _kind(self, object_name: str, field: AnnotatedField) -> ColumnKind:
        match field.shape:
            case Shape.STRING | Shape.ENUM:
                return ColumnKind.STRING
            case Shape.BOOLEAN:
                return ColumnKind.BOOLEAN
            case Shape.INTEGER:
                if field.name in self.reviewed.times:
                    return ColumnKind.TIMESTAMP
                if field.name in self.reviewed.numbers:
                    return ColumnKind.INTEGER
                raise NotReviewed(f"{object_name}.{field.name}")
            case Shape.FLOAT:
                return ColumnKind.FLOAT
            case Shape.DECIMAL:
                return ColumnKind.DECIMAL
            case Shape.EXPANDABLE:
                return ColumnKind.REFERENCE
            case Shape.RESOURCE | Shape.NESTED | Shape.MAP | Shape.LIST | Shape.PAGE:
                return ColumnKind.JSON
        assert_never(field.shape)


def _reference(field: AnnotatedField) -> Column:
    return Column(
        name=f"{field.name}_id",
        source=field.name,
        kind=ColumnKind.REFERENCE,
        doc=f"Stripe's `{field.name}`: the id of {_article(field.targets)}.",
    )


def _what(field: AnnotatedField, kind: ColumnKind) -> str:
    match field.shape:
        case Shape.STRING | Shape.EXPANDABLE:
            return "a text"
        case Shape.ENUM if len(field.values) > VALUES_LISTED_MAX:
            return f"one of {len(field.values)} values, or a new one"
        case Shape.ENUM:
            return f"{', '.join(field.values)}, or a new value"
        case Shape.BOOLEAN:
            return "true or false"
        case Shape.INTEGER:
            return "a time" if kind is ColumnKind.TIMESTAMP else "a whole number"
        case Shape.FLOAT | Shape.DECIMAL:
            return "a number"
        case Shape.RESOURCE:
            return f"the whole of {_article(field.targets)}, as JSON"
        case Shape.NESTED:
            return "a nested object, as JSON"
        case Shape.MAP:
            return "names and values, as JSON"
        case Shape.LIST:
            return f"a list{_of(field.targets)}, as JSON"
        case Shape.PAGE:
            return f"the first page of a list{_of(field.targets)}, as JSON"
    assert_never(field.shape)


def _article(targets: tuple[str, ...]) -> str:
    if not targets:
        return "another object"
    return " or ".join(f"{'an' if target[0] in 'aeiou' else 'a'} {target}" for target in targets)


def _of(targets: tuple[str, ...]) -> str:
    return f" of {' or '.join(targets)}" if targets else ""
