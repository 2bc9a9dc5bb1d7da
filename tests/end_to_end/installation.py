"""A whole stripeline installation on the suite's Kafka, registry and Postgres."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.end_to_end.services import Service, eventually, running
from tests.end_to_end.stripe_events import WEBHOOK_SECRET, Sender
from tests.end_to_end.topic_reader import Read, read_topic
from tests.infrastructure import Infrastructure

ARRIVE_SECONDS_MAX = 90.0


class Installation:
    """Webhook, relay and sink as processes, meeting only in Kafka."""

    def __init__(
        self,
        infrastructure: Infrastructure,
        *,
        namespace: str,
        database_url: str,
        folder: Path,
        **environment: str,
    ) -> None:
        self.infrastructure = infrastructure
        self.namespace = namespace
        self.database_url = database_url
        self.environment = {
            "KAFKA_BOOTSTRAP_SERVERS": infrastructure.kafka,
            "SCHEMA_REGISTRY_URL": infrastructure.registry,
            "DATABASE_URL": database_url,
            "KAFKA_NAMESPACE": namespace,
            "TOPIC_PARTITIONS": "3",
            "OBJECTS": "subscription,customer",
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_KEY": "",
            "WEBHOOK_PORT": "0",
            "RELAY_MEMORY_FOLDER": str(folder / "memory"),
            **environment,
        }
        self._folder = folder
        self._senders: list[Sender] = []
        self.webhook = self.service("producer", "webhook", name="webhook")
        self.relay = self.service("producer", "relay", name="relay")
        self.sink = self.service("sink", "run", name="sink")

    def service(self, *arguments: str, name: str, **environment: str) -> Service:
        """One more service of this installation; `environment` overrides its settings."""
        return Service(
            *arguments,
            environment={**self.environment, **environment},
            folder=self._folder,
            name=name,
        )

    def sender(self) -> Sender:
        """A sender to the webhook service."""
        made = Sender(int(self.webhook.said("port")))
        self._senders.append(made)
        return made

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start webhook, relay and sink, and stop them whatever happens."""
        try:
            with running(self.webhook, self.relay, self.sink):
                yield
        finally:
            for sender in self._senders:
                sender.close()

    def topic(self, object_name: str) -> str:
        """The topic of an object."""
        return f"{self.namespace}.{object_name}"

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query, none while its table does not exist yet."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            try:
                return connection.execute(query.encode()).fetchall()
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                return []

    def versions(self, objects: Collection[str]) -> dict[str, int]:
        """`metadata.version` of the rows of these subscriptions."""
        found = self.rows("select id, metadata ->> 'version' as version from stripe.subscription")
        return {row["id"]: int(row["version"]) for row in found if row["id"] in objects}

    def await_versions(self, expected: dict[str, int]) -> None:
        """Wait until the rows of these subscriptions say what is expected."""
        eventually(
            lambda: self.versions(expected.keys()) == expected,
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"the rows of {len(expected)} subscriptions are right",
        )

    def await_relayed(self) -> None:
        """Wait until the relay is done with every event that was acknowledged."""
        sent = sum(sender.acknowledged for sender in self._senders)
        eventually(
            lambda: self.relay.metric("stripeline_relay_consumed_total") >= sent,
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"{sent} events are relayed",
        )

    def published(self, object_name: str, objects: Collection[str]) -> list[Read]:
        """Every record of these objects, as a stock subscriber reads them, in order."""
        return [
            record
            for record in read_topic(self.infrastructure, self.topic(object_name))
            if record.key in objects
        ]
