"""From records to rows: read the frame, find the schema, decode, and give each table its rows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runtime.errors import frames_of
from schemas.codec import BatchCodec, unframe
from schemas.decimals import CHARACTERS_MAX, DIGITS
from schemas.errors import BadFrame, BadRecord, SchemaRefused, SchemaUnknown
from schemas.meta import RECEIVED_AT
from schemas.topics import Names
from sink.batch import Batch, Record
from sink.copy_format import MICROS_MIN
from sink.errors import RegistryRefuses, UnusableSchema
from sink.few_rows import few_rows
from sink.load import Dead, Load, TableRows, WriterSchema
from sink.many_rows import history_rows, many_rows
from sink.tables import CONNECT_SUFFIX, TableName, Transport, shape_of

FEW_MAX: Final = 20
"""So many records of one table cost less one by one than by the column and a temporary table."""

_DECIMAL: Final = rf"\A(?:{DIGITS})\z"
"""As the library's regular expressions (RE2) spell a whole text."""

Bodies = list[tuple[Record, bytes]]


class Loader:
    """Turns batches into loads; remembers schemas, for a schema's id never changes its meaning.

    Args:
        names: which table a topic belongs to.
        schema: the Postgres schema of the merchant's own rows.
        writer_schema: asks the registry for the schema of an id.
        few_max: up to so many records of one table are made rows one by one.
        history: tables of which every change is kept as well.
        marked: whether rows tell their writers also where these have the same columns.
    """

    def __init__(
        self,
        *,
        names: Names,
        schema: str,
        writer_schema: Callable[[int], Mapping[str, Any]],
        few_max: int = FEW_MAX,
        history: Collection[str] = (),
        marked: bool = False,
    ) -> None:
        self._names = names
        self._schema = schema
        self._writer_schema = writer_schema
        self._few_max = few_max
        self._history = frozenset(history)
        self._marked = marked
        self._writers: dict[int, WriterSchema] = {}

    def load(self, batch: Batch) -> Load:
        """The rows of a batch.

        Raises:
            RegistryUnreachable: a schema could not be fetched now.
            RegistryRefuses: the registry gives no schema, whatever the record.
        """
        by_schema, dead, consumed = _grouped(batch.records)
        decoded: dict[str, list[tuple[WriterSchema, pa.RecordBatch]]] = {}
        for (topic, schema_id), bodies in by_schema.items():
            try:
                writer = self.writer(schema_id)
            except (SchemaUnknown, UnusableSchema) as error:
                dead += [_dead(one, error) for one, _body in bodies]
                continue
            rows, unreadable = _decoded(writer, bodies)
            dead += unreadable
            if rows is not None:
                decoded.setdefault(topic, []).append((writer, rows))
        tables = [table for topic, parts in decoded.items() for table in self._rows(topic, parts)]
        return Load(
            batch=batch,
            tables=tuple(sorted(tables, key=written_in_order)),
            dead=tuple(dead),
            consumed=consumed,
            next_offsets=batch.next_offsets(),
            received_at_oldest=_oldest(
                rows for parts in decoded.values() for _writer, rows in parts
            ),
        )

    def writer(self, schema_id: int) -> WriterSchema:
        """What follows from a schema that a record names.

        Raises:
            SchemaUnknown, UnusableSchema: no record of this schema can be a row.
            RegistryUnreachable: it could not be fetched now.
            RegistryRefuses: the registry gives no schema, whatever the record.
        """
        known = self._writers.get(schema_id)
        if known is None:
            schema = self._fetched(schema_id)
            shape = shape_of(schema)
            known = self._writers[schema_id] = WriterSchema(
                schema_id=schema_id,
                shape=shape,
                codec=BatchCodec(schema),
                times=tuple(
                    one.name for one in shape.columns if one.transport is Transport.TIMESTAMPTZ
                ),
                decimals=tuple(one.name for one in shape.columns if one.is_decimal),
            )
        return known

    def _fetched(self, schema_id: int) -> Mapping[str, Any]:
        try:
            return self._writer_schema(schema_id)
        except SchemaUnknown:
            raise
        except SchemaRefused as refused:
            raise RegistryRefuses(
                f"{refused}. Is SCHEMA_REGISTRY_URL right, and may its user read schemas?"
            ) from refused

    def _rows(
        self, topic: str, parts: Sequence[tuple[WriterSchema, pa.RecordBatch]]
    ) -> list[TableRows]:
        table = self._names.table_of(topic)
        own = TableName(schema=self._schema, table=table)
        connect = TableName(schema=self._schema + CONNECT_SUFFIX, table=table)
        records = sum(rows.num_rows for _writer, rows in parts)
        sets = {frozenset(column.name for column in one.shape.columns) for one, _rows in parts}
        marked = self._marked or len(sets) > 1
        rows_of = few_rows if records <= self._few_max else many_rows
        found = rows_of(own, connect, parts, marked=marked)
        if table in self._history:
            found += history_rows(own, connect, parts, marked=marked)
        return found


def written_in_order(rows: TableRows) -> tuple[bool, str]:
    """How tables are sorted: histories last.

    Whoever writes a row of an object locks it until the end of the transaction, also where the
    guard leaves it as it is; so two who write changes of one object (a sink and a replay) come to
    its history one after the other, and the later one sees the neighbours that the earlier made.
    """
    return rows.history, str(rows.name)


def _grouped(
    records: Iterable[Record],
) -> tuple[dict[tuple[str, int], Bodies], list[Dead], dict[str, int]]:
    """The bodies by topic and schema id; the records without a frame; how many each topic gave."""
    found: dict[tuple[str, int], Bodies] = {}
    dead: list[Dead] = []
    consumed: dict[str, int] = {}
    for record in records:
        topic, value = record.topic(), record.value()
        assert topic is not None
        consumed[topic] = consumed.get(topic, 0) + 1
        if value is None:
            # It only clears the topic; the row keeps the record that went before it.
            continue
        try:
            schema_id, body = unframe(value if isinstance(value, bytes) else value.encode())
        except BadFrame as error:
            dead.append(_dead(record, error))
            continue
        found.setdefault((topic, schema_id), []).append((record, body))
    return found, dead, consumed


def _decoded(writer: WriterSchema, bodies: Bodies) -> tuple[pa.RecordBatch | None, list[Dead]]:
    """The records as columns, and those that are no record of their schema."""
    try:
        return _checked(writer, [body for _record, body in bodies]), []
    except _UNFIT:
        pass
    parts: list[pa.RecordBatch] = []
    dead: list[Dead] = []
    for record, body in bodies:
        try:
            parts.append(_checked(writer, [body]))
        except _UNFIT as error:
            dead.append(_dead(record, error))
    if not parts:
        return None, dead
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0], dead


def _dead(record: Record, error: Exception) -> Dead:
    return Dead(record=record, reason=type(error).__name__, stack=frames_of(error))


class TimeOutOfRange(Exception):
    """Postgres' calendar begins in 4714 BC."""


class BadDecimal(Exception):
    """A number that travels as text is none; in Postgres it would refuse every row beside it."""


_UNFIT: Final = (BadRecord, TimeOutOfRange, BadDecimal)


def _checked(writer: WriterSchema, bodies: Sequence[bytes]) -> pa.RecordBatch:
    """The records as columns whose every value is one in Postgres, too."""
    rows = writer.codec.decode(bodies)
    if writer.times:
        times = [rows.column(name).view(pa.int64()) for name in writer.times]
        earliest = pc.min(pa.chunked_array(times)).as_py()
        if earliest is not None and earliest < MICROS_MIN:
            raise TimeOutOfRange
    for name in writer.decimals:
        texts: Any = rows.column(name)
        longest = pc.max(pc.binary_length(texts)).as_py()
        if longest is None:
            continue
        decimal = pc.match_substring_regex(texts, _DECIMAL)
        if longest > CHARACTERS_MAX or not pc.all(decimal).as_py():
            raise BadDecimal
    return rows


def _oldest(batches: Iterable[pa.RecordBatch]) -> int | None:
    """When the oldest record came into the inbox."""
    found = [
        pc.min(rows.column(RECEIVED_AT).view(pa.int64())).as_py()
        for rows in batches
        if RECEIVED_AT in rows.schema.names
    ]
    return min((value for value in found if value is not None), default=None)
