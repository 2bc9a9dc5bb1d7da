"""A table as a writer's schema describes it, and the statements that create and widen it.

The schema is all that is needed: `stripe.object`, and of each field its type, `sql.type`
and `doc`. The column `id` names a row: a type without an id of its own has its natural key there.
"""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, assert_never

from schemas.meta import ACCOUNT_ID, EVENT_AT, OPERATION, PREVIOUS, Operation
from sink.errors import UnusableSchema

ID: Final = "id"
SYNCED_AT: Final = "_synced_at"
DELETED_AT: Final = "_deleted_at"
CONNECT_SUFFIX: Final = "_connect"
HISTORY_SUFFIX: Final = "_history"
IDENTIFIER_BYTES_MAX: Final = 63

JOINED: Final = frozenset(
    {
        "charge_id",
        "customer_id",
        "invoice_id",
        "payment_intent_id",
        "price_id",
        "product_id",
        "subscription_id",
    }
)
"""References that point from a row to what it belongs to: these are joined on, so indexed."""


class Guard(Enum):
    """Which rows an upsert may change; a row without a time is older than every record."""

    NEWER = "newer"
    """Those that are older than the record."""
    NOT_OLDER = "not older"
    """Those of the record's own time as well: repairs a row that has it and other values."""
    DIFFERENT = "different"
    """Those that differ from the record; for a history, whose key holds the time."""


class Transport(Enum):
    """How a value travels in a binary COPY or a binary parameter."""

    TEXT = "text"
    JSONB = "jsonb"
    BOOLEAN = "boolean"
    BIGINT = "bigint"
    DOUBLE = "double precision"
    TIMESTAMPTZ = "timestamptz"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableName:
    """A table and the Postgres schema that it stands in."""

    schema: str
    table: str

    @property
    def quoted(self) -> str:
        """As SQL reads it."""
        return f"{quoted(self.schema)}.{quoted(self.table)}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column that the sink writes from one field of the record."""

    name: str
    sql_type: str
    transport: Transport
    comment: str = ""
    indexed: bool = False

    @property
    def is_decimal(self) -> bool:
        """Whether it holds a number that travels as text."""
        return self.sql_type == "numeric" and self.transport is Transport.TEXT

    def value(self, source: str) -> str:
        """The SQL that turns a transported value into the column's."""
        match self.sql_type, self.transport:
            case "numeric", Transport.DOUBLE:
                # A direct cast keeps 15 digits only; the text has all that the double has.
                return f"{source}::text::numeric"
            case "numeric", _:
                return f"{source}::numeric"
            case _:
                return source


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A column that Postgres computes from another one."""

    name: str
    sql_type: str
    expression: str
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableShape:
    """What a writer's schema says of its table.

    Attributes:
        stripe_object: Stripe's name of the type, for the table's comment.
        columns: every field but `_previous`, in the schema's order.
    """

    stripe_object: str
    columns: tuple[Column, ...]

    @property
    def generated(self) -> tuple[Generated, ...]:
        """What the table has beyond the record's fields for those who query it."""
        return _GENERATED.get(self.stripe_object, ())


_GENERATED: Mapping[str, tuple[Generated, ...]] = {
    "subscription": (
        Generated(
            name="trial_ends",
            sql_type="timestamptz",
            expression="trial_end",
            comment="When the trial ends; the same as trial_end.",
        ),
    )
}

_TRANSPORTS: Mapping[tuple[str, str], Transport] = {
    ("string", "text"): Transport.TEXT,
    ("string", "jsonb"): Transport.JSONB,
    ("string", "numeric"): Transport.TEXT,
    ("double", "numeric"): Transport.DOUBLE,
    ("long", "bigint"): Transport.BIGINT,
    ("boolean", "boolean"): Transport.BOOLEAN,
    ("timestamp-micros", "timestamptz"): Transport.TIMESTAMPTZ,
}
_PLAIN_SQL_TYPES: Mapping[str, str] = {
    "string": "text",
    "double": "numeric",
    "long": "bigint",
    "boolean": "boolean",
    "timestamp-micros": "timestamptz",
}


def shape_of(schema: Mapping[str, Any]) -> TableShape:
    """The table that a writer's schema describes.

    Raises:
        UnusableSchema: a field is no plain value, the key or `_event_at` is missing, or a name is
            longer than Postgres keeps.
    """
    columns = tuple(
        _column(schema, field) for field in schema["fields"] if field["name"] != PREVIOUS
    )
    names = {column.name for column in columns}
    missing = [name for name in (ID, EVENT_AT, OPERATION, ACCOUNT_ID) if name not in names]
    if missing:
        raise UnusableSchema(
            f"The schema {schema.get('name')} has no field {', '.join(missing)}, so its records "
            "cannot be rows. Was it written by another program?"
        )
    return TableShape(
        stripe_object=str(schema.get("stripe.object", schema.get("name", ""))),
        columns=columns,
    )


def _column(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Column:
    name, avro_type = str(field["name"]), _avro_type(field["type"])
    sql_type = str(field.get("sql.type") or _PLAIN_SQL_TYPES.get(avro_type, ""))
    transport = _TRANSPORTS.get((avro_type, sql_type))
    if transport is None or len(name.encode()) > IDENTIFIER_BYTES_MAX:
        raise UnusableSchema(
            f"The field {name} of schema {schema.get('name')} (Avro {avro_type}, sql.type "
            f"{sql_type or 'none'}) cannot be a column."
        )
    return Column(
        name=name,
        sql_type=sql_type,
        transport=transport,
        comment=str(field.get("doc", "")),
        indexed=name in JOINED,
    )


def _avro_type(declared: Any) -> str:
    """The one type that a field holds besides null; a logical type by its own name."""
    if isinstance(declared, list):
        held = [branch for branch in declared if branch != "null"]
        return _avro_type(held[0]) if len(held) == 1 else "union"
    if isinstance(declared, Mapping):
        return str(declared.get("logicalType") or declared["type"])
    return str(declared)


def key_of(*, connect: bool, history: bool = False) -> tuple[str, ...]:
    """The table's primary key: connected accounts' rows are named by their account, too.

    A history has a row for each change, and a change is named by its time.
    """
    key = (ACCOUNT_ID, ID) if connect else (ID,)
    return (*key, EVENT_AT) if history else key


def history_of(name: TableName) -> TableName:
    """The table that keeps every change of a table's rows."""
    return TableName(schema=name.schema + HISTORY_SUFFIX, table=name.table)


def create_statements(name: TableName, shape: TableShape, *, key: Sequence[str]) -> list[str]:
    """The statements that make a table that is not there."""
    required = {*key, EVENT_AT}
    lines = [
        f"{line} not null" if column in required else line
        for column, line in _column_lines(shape).items()
    ]
    lines.append(f"primary key ({_listed(key)})")
    return [
        f"create table {name.quoted} (\n  " + ",\n  ".join(lines) + "\n)",
        f"comment on table {name.quoted} is "
        + literal(f"Stripe's {shape.stripe_object}, kept by stripeline."),
        *_comments(name, shape.columns, shape.generated),
        *_indexes(name, shape.columns),
    ]


def widen_statements(name: TableName, shape: TableShape, *, present: Collection[str]) -> list[str]:
    """The statements that add what a table lacks, all in one change of it; none if it has all.

    Indexes are made afterwards, by `index_statements`: nobody may read while a table is changed.
    """
    added = [
        f"add column if not exists {line}"
        for column, line in _column_lines(shape).items()
        if column not in present
    ]
    if not added:
        return []
    columns = [column for column in shape.columns if column.name not in present]
    generated = [extra for extra in shape.generated if extra.name not in present]
    return [
        f"alter table {name.quoted} {', '.join(added)}",
        *_comments(name, columns, generated),
    ]


def index_statements(name: TableName, column: str) -> tuple[str, str, str]:
    """The name of a column's index as SQL reads it, and what drops and makes it meanwhile."""
    index = TableName(schema=name.schema, table=_index_name(name.table, column))
    return (
        index.quoted,
        f"drop index concurrently if exists {index.quoted}",
        f"create index concurrently if not exists {quoted(index.table)} "
        f"on {name.quoted} ({quoted(column)})",
    )


def _column_lines(shape: TableShape) -> dict[str, str]:
    """Each column of the table as a statement defines it."""
    lines = {column.name: f"{quoted(column.name)} {column.sql_type}" for column in shape.columns}
    lines |= {
        extra.name: f"{quoted(extra.name)} {extra.sql_type} "
        f"generated always as ({quoted(extra.expression)}) stored"
        for extra in shape.generated
    }
    return lines | {name: f"{quoted(name)} timestamptz" for name in (SYNCED_AT, DELETED_AT)}


def _comments(
    name: TableName, columns: Iterable[Column], generated: Iterable[Generated]
) -> list[str]:
    texts = [(column.name, column.comment) for column in columns if column.comment]
    texts += [(extra.name, extra.comment) for extra in generated]
    return [
        f"comment on column {name.quoted}.{quoted(column)} is {literal(text)}"
        for column, text in texts
    ]


def _indexes(name: TableName, columns: Iterable[Column]) -> list[str]:
    return [
        f"create index if not exists {quoted(_index_name(name.table, column.name))} "
        f"on {name.quoted} ({quoted(column.name)})"
        for column in columns
        if column.indexed
    ]


def _index_name(table: str, column: str) -> str:
    name = f"{table}_{column}_idx"
    if len(name.encode()) <= IDENTIFIER_BYTES_MAX:
        return name
    return f"{name[: IDENTIFIER_BYTES_MAX - 9]}_{zlib.crc32(name.encode()):08x}"


def upsert_sql(
    name: TableName,
    *,
    key: Sequence[str],
    values: Mapping[str, str],
    source: str,
    guard: Guard = Guard.NEWER,
) -> str:
    """The guarded upsert: a row is a function of the last record of its key.

    Args:
        name: the table.
        key: its primary key.
        values: SQL for each column that the sink keeps in the table. Those that the records lack
            are among them: the row must not remember an earlier record.
        source: what follows the selected values: `from ...`, or nothing.
        guard: which rows that are there already may be changed.
    """
    written = {**values, SYNCED_AT: "now()", DELETED_AT: deleted_at(values)}
    changed = [column for column in written if column not in key]
    return (
        f"insert into {name.quoted} as mine ({_listed(written)})\n"
        f"select {', '.join(written.values())} {source}\n"
        f"on conflict ({_listed(key)}) do update set "
        + ", ".join(f"{quoted(column)} = excluded.{quoted(column)}" for column in changed)
        + f"\nwhere {_guarded(guard, changed)}"
    )


def deleted_at(values: Mapping[str, str]) -> str:
    """SQL of when the object was deleted; null if it was not."""
    deleted = literal(Operation.DELETED.value)
    return f"case when {values[OPERATION]} = {deleted} then {values[EVENT_AT]} end"


def _guarded(guard: Guard, changed: Sequence[str]) -> str:
    mine, excluded = f"mine.{quoted(EVENT_AT)}", f"excluded.{quoted(EVENT_AT)}"
    match guard:
        # Rows that stood in a table before the sink adopted it have no time.
        case Guard.NEWER:
            return f"{mine} is null or {excluded} > {mine}"
        case Guard.NOT_OLDER:
            return f"{mine} is null or {excluded} >= {mine}"
        case Guard.DIFFERENT:
            held = [quoted(column) for column in changed if column != SYNCED_AT]
            ours, theirs = ([f"{row}.{one}" for one in held] for row in ("mine", "excluded"))
            return f"({', '.join(ours)}) is distinct from ({', '.join(theirs)})"
        case _:
            assert_never(guard)


def lock_key(name: str) -> int:
    """A number for what is locked, as a signed integer of 32 bits."""
    return zlib.crc32(name.encode()) - 2**31


def quoted(identifier: str) -> str:
    """An identifier as SQL reads it."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text constant as SQL reads it (with `standard_conforming_strings` on)."""
    return "'" + text.replace("'", "''").replace("\x00", "") + "'"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)
