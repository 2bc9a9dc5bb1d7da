"""The tables as they stand in Postgres: made where they are missing, widened where too narrow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.meta import EVENT_AT
from sink.errors import TableDiffers
from sink.history import history_statements
from sink.postgres import Connection, translated
from sink.postgres_indexes import Indexes
from sink.sql import query
from sink.tables import (
    DELETED_AT,
    SYNCED_AT,
    Column,
    TableName,
    TableShape,
    create_statements,
    lock_key,
    quoted,
    widen_statements,
)

LOCK_TIMEOUT: Final = "2s"
"""How long readers may queue behind a change of a table that itself waits for a long reader."""

_TYPE_NAMES: Final[Mapping[str, str]] = {"timestamptz": "timestamp with time zone"}
_ORDINARY_TABLE: Final = "r"
_LOCK_CLASS: Final = 0x7374_7270


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A table as the catalogue of Postgres shows it.

    Attributes:
        required: columns that every insert has to give.
        kept: columns that are the sink's, with their types.
        index_due: those of them of which an index is still to be made.
    """

    kind: str
    types: Mapping[str, str]
    key: tuple[str, ...]
    required: frozenset[str]
    kept: Mapping[str, str]
    index_due: frozenset[str]


class Tables:
    """What this sink knows of the tables; it looks only when a schema is new to it.

    Args:
        connection: the session that rows are written through, too.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._indexes = Indexes(connection)
        self._fits: dict[TableName, set[int]] = {}
        self._kept: dict[TableName, Mapping[str, str]] = {}
        self._relation = query("table_relation")
        self._columns = query("table_columns")
        self._kept_columns = query("kept_columns")
        self._keep_columns = query("keep_columns")

    def forget(self) -> None:
        """Look again: another sink, or a person, may have changed the tables."""
        self._fits.clear()
        self._kept.clear()

    def fit(
        self, name: TableName, shapes: Mapping[int, TableShape], *, key: Sequence[str]
    ) -> Mapping[str, str]:
        """Make or widen the table until rows of these schemas fit; what we keep in it, with types.

        Args:
            name: the table.
            shapes: by schema id, what the writers' schemas say.
            key: the primary key that the table has or gets.

        Raises:
            TableDiffers: what stands there is no table, or has another key or column type.
        """
        fits = self._fits.setdefault(name, set())
        for schema_id, shape in sorted(shapes.items()):
            if schema_id not in fits:
                self._kept[name] = self._fitted(name, shape, schema_id=schema_id, key=tuple(key))
                fits.add(schema_id)
        return self._kept[name]

    def types(self, name: TableName) -> dict[str, str]:
        """Every column of a table with its type as Postgres names it; none if it is not there."""
        found = self._found(name)
        return {} if found is None else dict(found.types)

    def kept(self, name: TableName, columns: Collection[str]) -> Mapping[str, str]:
        """The columns that are the sink's in a table as it stands, with their types as Postgres
        names them; none if it is not there.

        Args:
            columns: those that count in a table to which no sink has written yet.
        """
        found = self._found(name)
        if found is None:
            return {}
        return found.kept or {one: kind for one, kind in found.types.items() if one in columns}

    def _fitted(
        self, name: TableName, shape: TableShape, *, schema_id: int, key: tuple[str, ...]
    ) -> Mapping[str, str]:
        found = self._found(name)
        wanted = {column.name: column.sql_type for column in shape.columns}
        if found is not None and wanted.keys() <= found.kept.keys():
            _check(name, found, shape, key)
            if found.index_due:
                self._indexes.make(name, found.index_due)
            return found.kept
        try:
            with translated():
                session = self._connection.session()
                session.execute("begin")
                session.execute(f"set local lock_timeout to '{LOCK_TIMEOUT}'")
                # A generated column is computed for every row of a table that is adopted.
                session.execute("set local statement_timeout to 0")
                session.execute(
                    "select pg_advisory_xact_lock($1, $2)", [_LOCK_CLASS, lock_key(name.schema)]
                )
            # Read again: another sink may have done it while we waited for the lock.
            found = self._found(name)
            if found is not None:
                _check(name, found, shape, key)
            # A table that is made here has its indexes from the beginning.
            index_due = frozenset(
                column.name
                for column in shape.columns
                if found is not None and column.indexed and column.name not in found.types
            )
            with translated():
                for statement in self._missing_statements(name, found, shape, key):
                    session.execute(statement)
                session.execute(
                    self._keep_columns,
                    [
                        name.schema,
                        name.table,
                        [column.name for column in shape.columns],
                        [column.sql_type for column in shape.columns],
                        [column.name in index_due for column in shape.columns],
                        schema_id,
                    ],
                )
                session.execute("commit")
        finally:
            self._connection.rollback()
        if index_due:
            self._indexes.make(name, index_due)
        return {**wanted, **(found.kept if found is not None else {})}

    def _missing_statements(
        self, name: TableName, found: _Found | None, shape: TableShape, key: tuple[str, ...]
    ) -> list[str]:
        if found is None:
            schema = self._connection.session().execute(
                "select to_regnamespace($1)", [quoted(name.schema)]
            )
            missing = schema.fetchone() == (None,)
            made = [f"create schema {quoted(name.schema)}"] if missing else []
            made += create_statements(name, shape, key=key)
            return made + history_statements(name) if EVENT_AT in key else made
        return widen_statements(name, shape, present=found.types.keys())

    def _found(self, name: TableName) -> _Found | None:
        with translated():
            session = self._connection.session()
            relation = session.execute(self._relation, [name.schema, name.table]).fetchone()
            if relation is None:
                return None
            oid, kind, key = relation
            columns = session.execute(self._columns, [oid]).fetchall()
            kept = session.execute(self._kept_columns, [name.schema, name.table]).fetchall()
        types = {column: sql_type for column, sql_type, _required in columns}
        return _Found(
            kind=kind,
            types=types,
            key=tuple(key),
            required=frozenset(column for column, _sql_type, required in columns if required),
            kept={column: types[column] for column, _due in kept if column in types},
            index_due=frozenset(column for column, due in kept if due and column in types),
        )


def _check(name: TableName, found: _Found, shape: TableShape, key: tuple[str, ...]) -> None:
    if found.kind != _ORDINARY_TABLE:
        raise TableDiffers(
            f"{name} exists and is no ordinary table. Rename it, or set DATABASE_SCHEMA to "
            "another schema."
        )
    if set(found.key) != set(key):
        raise TableDiffers(
            f"{name} exists with the primary key ({', '.join(found.key) or 'none'}); the sink "
            f"needs ({', '.join(key)}). Rename it, or set DATABASE_SCHEMA to another schema."
        )
    for column in shape.columns:
        _check_type(name, column, found.types.get(column.name))
    written = {SYNCED_AT, DELETED_AT, *(column.name for column in shape.columns)}
    for unfilled in sorted(found.required - written):
        raise TableDiffers(
            f"The column {unfilled} of {name} may not be null and has no default, and no record "
            f"fills it. Give it a default, or run: alter table {name.quoted} alter column "
            f"{quoted(unfilled)} drop not null"
        )


def _check_type(name: TableName, column: Column, found: str | None) -> None:
    wanted = _TYPE_NAMES.get(column.sql_type, column.sql_type)
    if found is not None and found != wanted:
        raise TableDiffers(
            f"The column {column.name} of {name} is {found}; the records need {wanted}. Rename "
            f"the column, or run: alter table {name.quoted} alter column {quoted(column.name)} "
            f"type {column.sql_type} using {quoted(column.name)}::{column.sql_type}"
        )
