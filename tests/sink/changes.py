"""Changes as a relay would publish them, of small types made for the sink's tests."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.codec import RecordCodec, frame
from schemas.topics import Names
from sink.batch import Batch, Headers, Partition, Record
from sink.loader import FEW_MAX, Loader

SECOND = 1_000_000
EPOCH = 1_750_000_000 * SECOND
"""When the tests' changes begin, microseconds since 1970."""

TEXT = {"type": ["null", "string"], "sql": "text"}
JSONB = {"type": ["null", "string"], "sql": "jsonb"}
NUMERIC = {"type": ["null", "string"], "sql": "numeric"}
DOUBLE = {"type": ["null", "double"], "sql": "numeric"}
BIGINT = {"type": ["null", "long"], "sql": "bigint"}
BOOLEAN = {"type": ["null", "boolean"], "sql": "boolean"}
TIMESTAMP = {
    "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
    "sql": "timestamptz",
}
TICKET = {"title": TEXT, "customer_id": TEXT, "body": JSONB, "amount": BIGINT}


def schema_of(
    columns: Mapping[str, Mapping[str, Any]], *, stripe_object: str = "ticket"
) -> dict[str, Any]:
    """The Avro schema of an object type with these columns after its id."""

    def optional(name: str, column: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "type": column["type"],
            "default": None,
            "doc": f"The {name}.",
            "sql.type": column["sql"],
        }

    micros = {"type": "long", "logicalType": "timestamp-micros"}
    return {
        "type": "record",
        "name": "Ticket",
        "namespace": "stripe",
        "stripe.object": stripe_object,
        "fields": [
            optional("id", TEXT),
            *(optional(name, column) for name, column in columns.items()),
            optional("extra", JSONB),
            {"name": "_event_at", "type": micros, "sql.type": "timestamptz"},
            optional("_event_id", TEXT),
            optional("_event_type", TEXT),
            {"name": "_operation", "type": "string", "sql.type": "text"},
            {"name": "_source", "type": "string", "sql.type": "text"},
            optional("_api_version", TEXT),
            optional("_account_id", TEXT),
            {"name": "_received_at", "type": micros, "sql.type": "timestamptz"},
            optional("_previous", JSONB),
        ],
    }


def change(
    object_id: str | None, at: int, *, operation: str = "updated", **columns: Any
) -> dict[str, Any]:
    """A change of an object, `at` microseconds after the tests' beginning."""
    return {
        "id": object_id,
        "_event_at": EPOCH + at,
        "_operation": operation,
        "_source": "webhook",
        "_received_at": EPOCH + at,
        **columns,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A record as the Kafka client would give it."""

    value_: bytes | None
    offset_: int
    topic_: str = "t.ticket"
    partition_: int = 0
    key_: bytes = b"key"
    headers_: Headers | None = None

    def topic(self) -> str:
        return self.topic_

    def partition(self) -> int:
        return self.partition_

    def offset(self) -> int:
        return self.offset_

    def key(self) -> bytes:
        return self.key_

    def value(self) -> bytes | None:
        return self.value_

    def headers(self) -> Headers | None:
        return self.headers_


@dataclass(slots=True, kw_only=True)
class Workshop:
    """Makes records and loads without Kafka and without a registry."""

    schemas: dict[int, dict[str, Any]] = field(default_factory=lambda: {1: schema_of(TICKET)})
    schema: str = "stripe"

    def loader(self, *, few_max: int = FEW_MAX, history: Sequence[str] = ()) -> Loader:
        return Loader(
            names=Names(namespace="t"),
            schema=self.schema,
            writer_schema=self.schemas.__getitem__,
            few_max=few_max,
            history=history,
        )

    def value(self, record: Mapping[str, Any], *, schema_id: int = 1) -> bytes:
        return frame(schema_id, RecordCodec(self.schemas[schema_id]).encode(record))

    def records(
        self,
        changes: Iterable[Mapping[str, Any]],
        *,
        schema_id: int = 1,
        first_offset: int = 0,
        topic: str = "t.ticket",
        partition: int = 0,
    ) -> list[Held]:
        """Records of one partition, one after the other."""
        return [
            Held(
                value_=self.value(one, schema_id=schema_id),
                offset_=first_offset + place,
                topic_=topic,
                partition_=partition,
            )
            for place, one in enumerate(changes)
        ]


def batch_of(records: Sequence[Record], *, fence: int = 1) -> Batch:
    """A batch whose partitions were all claimed with one number."""
    partitions = {
        Partition(str(record.topic()), int(record.partition() or 0)) for record in records
    }
    return Batch(records=records, fences=dict.fromkeys(partitions, fence))


def metadata(**values: Any) -> str:
    return json.dumps(values)
