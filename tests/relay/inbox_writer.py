"""Fills an inbox as the webhook does, with subscription events that are small enough to read."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer

from producer.kafka_topics import Topics
from producer.topics import TopicLayout
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.topics import Names
from tests.infrastructure import Infrastructure

FLUSH_SECONDS_MAX = 60.0
FIRST_SECOND = int(time.time()) - 86_400
"""Not long ago: of changes that are older than a week Kafka may keep the last of each key only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One record for the inbox."""

    key: str
    value: bytes
    envelope: Envelope


def event(
    event_id: str,
    object_id: str,
    *,
    second: int,
    kind: str = "customer.subscription.updated",
    previous: dict[str, Any] | None = None,
    account: str = "",
    object_name: str = "subscription",
    **fields: Any,
) -> Sent:
    """An event of an object, in second `FIRST_SECOND + second`."""
    data: dict[str, Any] = {"object": {"id": object_id, "object": object_name, **fields}}
    if previous is not None:
        data["previous_attributes"] = previous
    body = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": FIRST_SECOND + second,
        "data": data,
        "livemode": False,
        "type": kind,
        **({"account": account} if account else {}),
    }
    return Sent(
        key=f"{account}/{object_id}" if account else object_id,
        value=json.dumps(body, indent=2).encode(),
        envelope=Envelope(kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1_000_000),
    )


def snapshot(
    object_id: str,
    *,
    second: int,
    evidence: Evidence | None = Evidence.LIST,
    kind: Kind = Kind.SNAPSHOT,
    object_name: str = "subscription",
    account: str = "",
    **fields: Any,
) -> Sent:
    """An object as it was read in second `FIRST_SECOND + second`."""
    body = {"id": object_id, "object": object_name, **fields}
    if kind is Kind.GONE:
        body |= {"deleted": True}
        evidence = None
    return Sent(
        key=f"{account}/{object_id}" if account else object_id,
        value=json.dumps(body).encode(),
        envelope=Envelope(
            account_id=account,
            kind=kind,
            source=Source.BACKFILL,
            received_at=1_000_000,
            observed_second=FIRST_SECOND + second,
            evidence=evidence,
        ),
    )


@dataclass(slots=True, kw_only=True)
class InboxWriter:
    """Makes the topics of a namespace and writes to its inbox."""

    infrastructure: Infrastructure
    names: Names
    partitions: int
    objects: Sequence[str] = ("subscription",)
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        kafka: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.infrastructure.kafka
        }
        layout = TopicLayout(names=self.names, partitions=self.partitions, replication_factor=1)
        topics = Topics(kafka=kafka, layout=layout)
        topics.ensure_streams()
        topics.ensure_objects(self.objects)
        self._producer = Producer(
            {**kafka, "partitioner": "murmur2_random", "enable.idempotence": True}
        )

    def send(self, *records: Sent) -> None:
        """Write the records, in this order, and wait until Kafka has them."""
        self.send_all(records)

    def send_all(self, records: Iterable[Sent]) -> None:
        """The same for any number of records."""
        for number, record in enumerate(records):
            self._producer.produce(
                self.names.inbox,
                record.value,
                record.key.encode(),
                headers=record.envelope.headers(),  # type: ignore[arg-type]
            )
            if number % 10_000 == 0:
                self._producer.poll(0)
        assert self._producer.flush(FLUSH_SECONDS_MAX) == 0

    def send_raw(
        self, key: str, value: bytes, headers: list[tuple[str, bytes]], *, partition: int = -1
    ) -> None:
        """Write one record as it is."""
        self._producer.produce(
            self.names.inbox,
            value,
            key.encode(),
            partition,
            headers=headers,  # type: ignore[arg-type]
        )
        assert self._producer.flush(FLUSH_SECONDS_MAX) == 0
