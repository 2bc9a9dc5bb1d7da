"""Columns: one Stripe field each, what kind of value it holds, and how Avro and SQL call it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, assert_never

from schemas import meta
from schemas.conversions import Convert
from schemas.places import Place

JSON_NAME: Final = "io.debezium.data.Json"
PARENT_ID: Final = "parent_id"
"""The column of an owned child whose body does not say whose child it is."""
PARENT_SOURCE: Final = "_parent"
"""In the place of the Stripe field that it has not."""
MICRO_TIMESTAMP_NAME: Final = "io.debezium.time.MicroTimestamp"


class ColumnKind(StrEnum):
    """What a column holds, and what the same is in Stripe's JSON."""

    STRING = "string"
    """Text; enums too, since Stripe adds values at any time."""
    BOOLEAN = "boolean"
    INTEGER = "integer"
    """64 bits; amounts in the currency's minor unit."""
    FLOAT = "float"
    DECIMAL = "decimal"
    """A string of digits in Stripe's JSON and in the record, a number in SQL."""
    TIMESTAMP = "timestamp"
    """Unix seconds in Stripe's JSON, microseconds in the record."""
    REFERENCE = "reference"
    """Another object's id; an expanded or embedded object counts as its id."""
    JSON = "json"
    """A nested object, list or map, as JSON text."""

    @property
    def sql_type(self) -> str:
        """The Postgres type of a column of this kind."""
        match self:
            case ColumnKind.STRING | ColumnKind.REFERENCE:
                return "text"
            case ColumnKind.BOOLEAN:
                return "boolean"
            case ColumnKind.INTEGER:
                return "bigint"
            case ColumnKind.FLOAT | ColumnKind.DECIMAL:
                return "numeric"
            case ColumnKind.TIMESTAMP:
                return "timestamptz"
            case ColumnKind.JSON:
                return "jsonb"
        assert_never(self)

    @property
    def avro_type(self) -> str | dict[str, str]:
        """The Avro type of a field of this kind, before it is made nullable."""
        match self:
            case ColumnKind.STRING | ColumnKind.REFERENCE | ColumnKind.DECIMAL:
                return "string"
            case ColumnKind.BOOLEAN:
                return "boolean"
            case ColumnKind.INTEGER:
                return "long"
            case ColumnKind.FLOAT:
                return "double"
            case ColumnKind.TIMESTAMP:
                return {
                    "type": "long",
                    "logicalType": "timestamp-micros",
                    "connect.name": MICRO_TIMESTAMP_NAME,
                }
            case ColumnKind.JSON:
                return {"type": "string", "connect.name": JSON_NAME}
        assert_never(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A place that another field's value can be had from, and how."""

    place: Place
    convert: Convert


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One value of a nested object that can be put together from other places.

    Attributes:
        place: of the value, from the body inwards.
        typed: the object says in its `type` which of its fields it has, and has this one.
        when: a field and what it must hold for the part to belong there.
    """

    place: Place
    feed: Feed
    typed: bool = False
    when: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of an object type, which is one field of its Avro record.

    Attributes:
        name: of the column and the Avro field: `customer_id`.
        source: Stripe's field: `customer`.
        kind: what it holds.
        doc: one line on it, fit for a column comment.
        newer: places that have the value in bodies of newer API versions; they come first.
        older: places that tell it where neither they nor the field itself does.
        parts: what the value is put together from where no place has it whole.
    """

    name: str
    source: str
    kind: ColumnKind
    doc: str
    newer: tuple[Feed, ...] = ()
    older: tuple[Feed, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def sql_type(self) -> str:
        """The Postgres type of the column."""
        return self.kind.sql_type


def record_schema(*, object_name: str, columns: Iterable[Column], doc: str) -> dict[str, Any]:
    """The Avro record of an object type: Stripe's columns, then the meta fields."""
    return {
        "type": "record",
        "name": record_name(object_name),
        "namespace": "stripe",
        "doc": doc,
        "stripe.object": object_name,
        "fields": [_stripe_field(column) for column in columns] + [dict(f) for f in _META],
    }


def columns_of(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """Stripe's columns of a schema that `record_schema` made, without other places."""
    return tuple(
        Column(
            name=field["name"],
            source=field["stripe.field"],
            kind=ColumnKind(field["stripe.kind"]),
            doc=field.get("doc", ""),
        )
        for field in schema["fields"]
        if "stripe.field" in field
    )


def record_name(object_name: str) -> str:
    """`checkout.session` -> `CheckoutSession`."""
    words = object_name.replace(".", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def _stripe_field(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": ["null", column.kind.avro_type],
        "default": None,
        "doc": column.doc,
        "sql.type": column.kind.sql_type,
        "stripe.field": column.source,
        "stripe.kind": column.kind.value,
    }


def _meta_field(
    name: str, kind: ColumnKind, doc: str, *, required: bool = False
) -> dict[str, Any]:
    field: dict[str, Any] = {"name": name}
    if required:
        field["type"] = kind.avro_type
    else:
        field["type"] = ["null", kind.avro_type]
        field["default"] = None
    return field | {"doc": doc, "sql.type": kind.sql_type}


_META: Final = (
    _meta_field(meta.EXTRA, ColumnKind.JSON, "What Stripe sent and the schema does not know."),
    _meta_field(
        meta.EVENT_AT,
        ColumnKind.TIMESTAMP,
        "The version of the object: strictly increasing per key.",
        required=True,
    ),
    _meta_field(meta.EVENT_ID, ColumnKind.STRING, "Id of the Stripe event; null for a snapshot."),
    _meta_field(meta.EVENT_TYPE, ColumnKind.STRING, "Type of the Stripe event."),
    _meta_field(
        meta.OPERATION,
        ColumnKind.STRING,
        "created, updated, deleted or snapshot.",
        required=True,
    ),
    _meta_field(
        meta.SOURCE,
        ColumnKind.STRING,
        "Which way it came: webhook, poll, backfill, refetch or writeback.",
        required=True,
    ),
    _meta_field(meta.API_VERSION, ColumnKind.STRING, "API version that the body was in."),
    _meta_field(
        meta.ACCOUNT_ID, ColumnKind.STRING, "The connected account; null for the merchant's own."
    ),
    _meta_field(meta.RECEIVED_AT, ColumnKind.TIMESTAMP, "When it was received.", required=True),
    _meta_field(
        meta.PREVIOUS, ColumnKind.JSON, "What the changed fields held before, as the event says."
    ),
)
