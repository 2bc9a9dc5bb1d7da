"""The catalogue of Stripe's object types: their columns, tables, keys and events.

Read from the generated files beside this module. A type's schema is read when it is first asked
for: most installations see a few of them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.columns import Column, ColumnKind, columns_of, record_schema
from schemas.moved import fed
from schemas.topics import table_name

__all__ = [
    "Catalogue",
    "Column",
    "ColumnKind",
    "KeyRule",
    "ObjectType",
    "StrangeObjectName",
    "load_catalogue",
    "object_id",
    "record_key",
]

ID: Final = "id"
NAME_CHARACTERS_MAX: Final = 60
"""Of an object name: a table's name may have 63, and what is derived from it some more."""


class StrangeObjectName(ValueError):
    """An object name that cannot name a topic and a table; Stripe has none such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """Which fields of a body, in order, tell one object of a type from all others of one account.

    No fields: an account has exactly one such object.
    """

    fields: tuple[str, ...] = (ID,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One kind of Stripe object.

    Attributes:
        name: as Stripe spells it: `checkout.session`.
        table: of its rows, and the last part of its topic: `checkout_session`.
        columns: Stripe's, without the meta fields; `id` is the first.
        key_rule: none where Stripe stores no such object: its bodies pass by and have no identity.
        event_types: the events whose body is, or may be, an object of this type.
        schema: the Avro record, as JSON.
        known: whether the pinned package knows the type; if not, it has the generic columns.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    key_rule: KeyRule | None
    event_types: tuple[str, ...]
    schema: Mapping[str, Any]
    known: bool


class Catalogue:
    """All object types; made by `load_catalogue`.

    Attributes:
        api_version: of the newest shape, which is what our own requests ask for.
    """

    def __init__(self, index: Mapping[str, Any]) -> None:
        self.api_version: str = index["api_version"]
        self._index: Mapping[str, Any] = index["objects"]
        self._events: Mapping[str, list[str]] = index["events"]
        self._tables = {table_name(name): name for name in self._index}
        self._found: dict[str, ObjectType] = {}

    def get(self, name: str) -> ObjectType:
        """The object type of that name; the generic one for a name that is not known.

        Raises:
            StrangeObjectName: it cannot name a table, or its table is another type's.
        """
        found = self._found.get(name)
        if found is None:
            found = self._found[name] = self._read(name)
        return found

    def __iter__(self) -> Iterator[ObjectType]:
        """Every type that has a schema of its own, by name."""
        return (self.get(name) for name, entry in self._index.items() if entry["key"] is not None)

    def names(self) -> tuple[str, ...]:
        """The names of every type that has a schema of its own; reads no schema."""
        return tuple(name for name, entry in self._index.items() if entry["key"] is not None)

    def event_objects(self, event_type: str) -> tuple[str, ...]:
        """Every object type that an event of this type may carry; none for one never heard of.

        Where there are several, the body's own `object` decides.
        """
        return tuple(self._events.get(event_type, ()))

    def event_types(self) -> tuple[str, ...]:
        """Every event type that the pinned package knows."""
        return tuple(self._events)

    def _read(self, name: str) -> ObjectType:
        entry = self._index.get(name)
        if entry is None:
            return self._generic(name, KeyRule())
        if entry["key"] is None:
            return self._generic(name, None)
        table = table_name(name)
        schema = orjson.loads((_FOLDER / f"{table}.avsc").read_bytes())
        return ObjectType(
            name=name,
            table=table,
            columns=tuple(fed(name, column) for column in columns_of(schema)),
            key_rule=KeyRule(fields=tuple(entry["key"])),
            event_types=self._event_types_of(name),
            schema=schema,
            known=True,
        )

    def _generic(self, name: str, key_rule: KeyRule | None) -> ObjectType:
        table = table_name(name)
        if not _NAME.fullmatch(name) or len(name) > NAME_CHARACTERS_MAX:
            raise StrangeObjectName("an object's name is too long or not of a-z, 0-9, _ and dots")
        if self._tables.get(table, name) != name:
            raise StrangeObjectName(f"the table {table} is another object type's")
        columns = _generic_columns()
        return ObjectType(
            name=name,
            table=table,
            columns=columns,
            key_rule=key_rule,
            event_types=self._event_types_of(name),
            schema=record_schema(
                object_name=name, columns=columns, doc=f"Stripe object `{name}`, generic."
            ),
            known=False,
        )

    def _event_types_of(self, name: str) -> tuple[str, ...]:
        return tuple(event for event, objects in self._events.items() if name in objects)


@cache
def load_catalogue() -> Catalogue:
    """The catalogue of the pinned package; read once per process."""
    return Catalogue(orjson.loads((_FOLDER / "index.json").read_bytes()))


def object_id(object_type: ObjectType, body: Mapping[str, Any]) -> str | None:
    """What stands in the column `id`: Stripe's id, or the natural key of what has none of its own.

    None: it is no stored object, or the body lacks what the key is made of.
    """
    rule = object_type.key_rule
    if rule is None:
        return None
    if not rule.fields:
        return object_type.name
    parts = [part for field in rule.fields if (part := _identifier(body.get(field))) is not None]
    if len(parts) < len(rule.fields) or parts[-1].startswith(PASSING_ID):
        return None
    return ":".join(parts)


def record_key(object_type: ObjectType, body: Mapping[str, Any], account_id: str) -> str | None:
    """The key of an object's records: its id, after `<account>/` if it is a connected account's.

    None: it is no stored object, or the body lacks what the key is made of.
    """
    found = object_id(object_type, body)
    if found is None:
        return None
    return f"{account_id}/{found}" if account_id else found


def _identifier(value: Any) -> str | None:
    """The id in a field that holds an id or the expanded object."""
    found = value.get(ID) if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and found else None


def _generic_columns() -> tuple[Column, ...]:
    return (
        Column(name=ID, source=ID, kind=ColumnKind.STRING, doc="Id of the object."),
        Column(
            name="object", source="object", kind=ColumnKind.STRING, doc="Name of the object type."
        ),
        Column(
            name="created", source="created", kind=ColumnKind.TIMESTAMP, doc="When it was made."
        ),
        Column(
            name="livemode",
            source="livemode",
            kind=ColumnKind.BOOLEAN,
            doc="Whether it is real: false in a test mode or sandbox.",
        ),
    )


_FOLDER: Final = Path(__file__).parent / "avro"
PASSING_ID: Final = "upcoming_in"
"""How Stripe begins the id of an invoice that it only foretells."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
