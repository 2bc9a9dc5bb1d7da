"""Changes of subscriptions, written to object topics as the relay writes them."""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_END, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.codec import BatchCodec, frame
from schemas.objects import load_catalogue
from schemas.registry import Registry
from schemas.topics import Names
from tests.infrastructure import Infrastructure

AT_ONCE = 5_000
EPOCH = 1_750_000_000_000_000
SEED = 7
NOTE_CHARACTERS = 620
"""Makes a record of 1.55 KB."""
QUEUE_MAX = 100_000


Record = tuple[str, str, bytes]
"""Topic, key and value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was written.

    Attributes:
        record_bytes: the mean size of a record.
        first, last: by partition, the id of the first record and of the last.
    """

    record_bytes: int
    first: Mapping[int, str]
    last: Mapping[int, str]


class Publisher:
    """Makes topics, and writes changes to them."""

    def __init__(self, infrastructure: Infrastructure, *, namespace: str) -> None:
        self.names = Names(namespace=namespace)
        self._infrastructure = infrastructure
        self._schema = load_catalogue().get("subscription").schema
        self._codec = BatchCodec(self._schema)
        self._targets: dict[str, list[tuple[str, int]]] = {}
        self._producer = Producer(
            {
                "bootstrap.servers": infrastructure.kafka,
                "partitioner": "murmur2_random",
                "linger.ms": 50,
                "queue.buffering.max.messages": QUEUE_MAX,
            }
        )

    def topic(self, table: str) -> str:
        """The topic of a table."""
        return self.names.object_topic(table)

    def make_topics(self, tables: Sequence[str], *, partitions: int) -> None:
        """One topic for each table; the records of all of them are subscriptions."""
        for table in tables:
            self._targets[table] = [
                (self.topic(table), self._made(self.topic(table), self._schema, partitions))
            ]

    def forget(self, table: str, *, partitions: int) -> None:
        """Let Kafka remove what was written to a table's topic so far: it is much."""
        admin = AdminClient({"bootstrap.servers": self._infrastructure.kafka})
        ends = [
            TopicPartition(self.topic(table), number, OFFSET_END) for number in range(partitions)
        ]
        for removed in admin.delete_records(ends).values():
            removed.result()

    def make_twin(self, table: str, *, topic: str, partitions: int) -> None:
        """A second topic for a table's records, with times declared as the numbers they are.

        The sink does not see it; the bodies are the same, byte for byte.
        """
        fields = [{**field, "type": _number(field["type"])} for field in self._schema["fields"]]
        schema = {**self._schema, "fields": fields}
        self._targets[table].append((topic, self._made(topic, schema, partitions)))

    def _made(self, topic: str, schema: Mapping[str, Any], partitions: int) -> int:
        """Make a topic, and register what its records are; the schema's id."""
        admin = AdminClient({"bootstrap.servers": self._infrastructure.kafka})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result()
        with closing(Registry(self._infrastructure.registry)) as registry:
            return registry.register(self.names.subject(topic), schema)

    def publish(
        self,
        table: str,
        numbers: Sequence[int],
        *,
        version: int,
        note_characters: int = NOTE_CHARACTERS,
    ) -> Published:
        """One change of each object, in random order."""
        return self.send(
            self.records(table, numbers, version=version, note_characters=note_characters)
        )

    def records(
        self,
        table: str,
        numbers: Sequence[int],
        *,
        version: int,
        note_characters: int = NOTE_CHARACTERS,
    ) -> Iterator[Record]:
        """The records of one change of each object, in random order."""
        order = list(numbers)
        random.Random(SEED + version).shuffle(order)
        for begin in range(0, len(order), AT_ONCE):
            ids = order[begin : begin + AT_ONCE]
            columns = subscriptions(ids, version=version, note_characters=note_characters)
            bodies = self._codec.encode(columns, len(ids))
            for key, body in zip(columns["id"], bodies, strict=True):
                for topic, schema_id in self._targets[table]:
                    yield topic, key, frame(schema_id, body)

    def send(self, records: Iterable[Record]) -> Published:
        """Write records, and wait until Kafka has them."""
        first: dict[int, str] = {}
        last: dict[int, str] = {}

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            partition, key = message.partition(), message.key()
            assert partition is not None
            assert key is not None
            named = key.decode() if isinstance(key, bytes) else key
            first.setdefault(partition, named)
            last[partition] = named

        size = count = 0
        for topic, key, value in records:
            self._producer.produce(topic, key=key, value=value, on_delivery=on_delivery)
            size, count = size + len(value), count + 1
            if count % AT_ONCE == 0:
                self._producer.poll(0)
                while len(self._producer) > QUEUE_MAX // 2:
                    self._producer.poll(0.1)
        self._producer.flush()
        return Published(record_bytes=size // count, first=first, last=last)


def _number(declared: Any) -> Any:
    """A field's type, with a plain number in the place of a time."""
    if isinstance(declared, list):
        return [_number(branch) for branch in declared]
    if isinstance(declared, Mapping) and declared.get("logicalType") == "timestamp-micros":
        return "long"
    return declared


def subscription_id(number: int) -> str:
    """The id of the subscription of this number."""
    return f"sub_1{number:023}"


def subscriptions(
    numbers: Sequence[int], *, version: int, note_characters: int
) -> dict[str, list[Any]]:
    """Columns of subscriptions in their version `version`."""
    at = EPOCH + version * 1_000_000
    items = json.dumps(
        {
            "object": "list",
            "data": [
                {
                    "id": "si_000000000000",
                    "object": "subscription_item",
                    "metadata": {},
                    "price": {"id": "price_1Nn", "unit_amount": 1900, "currency": "eur"},
                    "quantity": 1 + version,
                    "note": "x" * note_characters,
                }
            ],
            "has_more": False,
        }
    )
    count = len(numbers)

    def same(value: object) -> list[object]:
        return [value] * count

    return {
        "id": [subscription_id(one) for one in numbers],
        "object": same("subscription"),
        "customer_id": [f"cus_{one // 2:014}" for one in numbers],
        "default_payment_method_id": [f"pm_{one:024}" for one in numbers],
        "latest_invoice_id": [f"in_{version}{one:023}" for one in numbers],
        "status": same("trialing" if version == 0 else "active"),
        "currency": same("eur"),
        "collection_method": same("charge_automatically"),
        "cancel_at_period_end": same(value=False),
        "livemode": same(value=True),
        "billing_cycle_anchor": same(EPOCH),
        "created": same(EPOCH),
        "start_date": same(EPOCH),
        "trial_start": same(EPOCH),
        "trial_end": same(EPOCH + 14 * 86_400_000_000),
        "current_period_start": same(EPOCH),
        "current_period_end": same(at + 30 * 86_400_000_000),
        "application_fee_percent": same(2.5),
        "metadata": [json.dumps({"order_id": str(one), "platform": "web"}) for one in numbers],
        "items": same(items),
        "automatic_tax": same('{"enabled": false, "liability": null}'),
        "payment_settings": same('{"save_default_payment_method": "off"}'),
        "trial_settings": same('{"end_behavior": {"missing_payment_method": "cancel"}}'),
        "discounts": same("[]"),
        "default_tax_rates": same("[]"),
        "_event_at": same(at),
        "_event_id": [f"evt_{version}_{one:023}" for one in numbers],
        "_event_type": same("customer.subscription.updated"),
        "_operation": same("updated"),
        "_source": same("webhook"),
        "_api_version": same("2026-07-29.dahlia"),
        "_received_at": same(at),
        "_previous": same(json.dumps({"quantity": version, "note": "y" * 120})),
    }
