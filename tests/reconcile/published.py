"""A topic in memory, of records as the relay makes them, and what Stripe shows beside it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from producer.comparison import Comparison
from producer.fingerprint import Fingerprints
from producer.kafka_changelog import StoredRecord
from producer.kafka_topic_reader import PartitionEnd
from producer.known_objects import Open
from producer.object_topic import ObjectTopic
from producer.order import Entry
from producer.preparing import Preparer
from producer.reconcile_report import Tally
from producer.record import entry_of_headers, hash_of, headers_of
from producer.stripe_api import Retrieved
from runtime.clock import MICROS_PER_SECOND, SystemClock
from schemas import meta
from schemas.codec import RecordCodec, frame
from schemas.endpoints import load_ways
from schemas.inbox import Source
from schemas.meta import Operation
from schemas.objects import load_catalogue, record_key

FIRST_SECOND = 1_790_000_000
SCHEMA_ID = 7


class MemoryRegistry:
    """Knows the schema that every record here is written with."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)

    def schema(self, schema_id: int) -> dict[str, Any]:
        assert schema_id == SCHEMA_ID
        return self._schema


class Published:
    """One object type: publish, show, and compare.

    Args:
        without: a column that the schema of the published records does not have yet.
    """

    def __init__(self, object_name: str, *, without: str = "") -> None:
        self.catalogue = load_catalogue()
        self.object_type = self.catalogue.get(object_name)
        self.preparer = Preparer(catalogue=self.catalogue)
        self.tools = self.preparer.tools(object_name)
        fields = [one for one in self.object_type.schema["fields"] if one["name"] != without]
        schema = {**self.object_type.schema, "fields": fields}
        self._names = [field["name"] for field in fields]
        self._codec = RecordCodec(schema)
        self._registry = MemoryRegistry(schema)
        self._records: list[StoredRecord] = []

    def comparison(self, *accounts: str) -> Comparison:
        """A comparison that has read what was published so far."""
        made = self.fresh_comparison(*accounts)
        made.read_topic()
        return made

    def fresh_comparison(self, *accounts: str) -> Comparison:
        """A comparison that has read nothing yet."""
        ways = load_ways()[self.object_type.name]
        return Comparison(
            object_type=self.object_type,
            ways=ways,
            accounts=accounts or ("",),
            topic=ObjectTopic(records=self, topic="t"),
            children=None,
            preparer=self.preparer,
            fingerprints=Fingerprints(tools=self.tools, registry=self._registry),
            api_version=self.catalogue.api_version,
            livemode=False,
            tally=Tally(object_name=self.object_type.name, untold=ways.untold),
            clock=SystemClock(),
        )

    def publish(
        self,
        *,
        second: int,
        operation: Operation = Operation.UPDATED,
        account_id: str = "",
        api_version: str | None = None,
        **fields: Any,
    ) -> None:
        """The relay publishes an event of this second."""
        body = self.body(fields)
        key = record_key(self.object_type, body, account_id) or ""
        columns = self._columns(body)
        lasting = {name: columns[name] for name in columns if name in self._names}
        half = self.tools.half_codec.encode_one(columns)
        entry = Entry(
            event_at=(FIRST_SECOND + second) * MICROS_PER_SECOND,
            operation=operation,
            # As it was made when the schema lacked a column.
            body_hash=hash_of(half if lasting == columns else half[1:]),
            event_ids=("evt_1",),
            inbox="0:0",
            record_offset=-1,
        )
        record = {
            **lasting,
            meta.EVENT_AT: entry.event_at,
            meta.OPERATION: operation.value,
            meta.SOURCE: Source.WEBHOOK.value,
            meta.API_VERSION: api_version,
            meta.RECEIVED_AT: 0,
        }
        self._records.append(
            StoredRecord(
                topic="t",
                key=key.encode(),
                value=frame(SCHEMA_ID, self._codec.encode(record)),
                headers=headers_of(entry),
                offset=len(self._records),
            )
        )

    def shown(self, *bodies: dict[str, Any], second: int, account_id: str = "") -> list[Open]:
        """What a list of Stripe's shows in this second."""
        whole = [self.body(body) for body in bodies]
        return [
            Open(
                key=record_key(self.object_type, body, account_id) or "",
                account_id=account_id,
                body=msgspec.json.encode(body),
                observed_second=FIRST_SECOND + second,
            )
            for body in whole
        ]

    def retrieved(self, *, second: int, gone: bool = False, **fields: Any) -> Retrieved:
        """What Stripe shows of one object in this second."""
        return Retrieved(
            body=msgspec.json.encode(self.body(fields)),
            observed_second=FIRST_SECOND + second,
            gone=gone,
        )

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """An object of the type."""
        return {"object": self.object_type.name, "livemode": False, **fields}

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        assert topic == "t"
        end = PartitionEnd(low_offset=0, high_watermark=len(self._records))
        return {0: end} if self._records else {}

    def offsets_at(self, topic: str, *, milliseconds: int) -> dict[int, int]:
        assert topic == "t"
        micros = milliseconds * 1_000
        older = [record for record in self._records if _event_at(record) < micros]
        return {0: len(older)}

    def read(
        self, topic: str, *, start: Mapping[int, int], ends: Mapping[int, PartitionEnd]
    ) -> Iterator[tuple[list[tuple[int, StoredRecord]], dict[int, int]]]:
        assert topic == "t"
        end = ends[0].high_watermark
        yield [(0, record) for record in self._records[start[0] : end]], {0: end}

    def _columns(self, body: dict[str, Any]) -> dict[str, Any]:
        normaliser = self.tools.normaliser
        cells = normaliser.read(msgspec.json.encode(body))
        return {name: values[0] for name, values in normaliser.columns([cells]).items()}


def _event_at(record: StoredRecord) -> int:
    return entry_of_headers(record.headers, record_offset=record.offset).event_at
