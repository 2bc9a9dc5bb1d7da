"""A whole stripeline installation on the suite's Kafka, registry and Postgres."""

from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.end_to_end.services import Service, eventually
from tests.end_to_end.stripe_events import WEBHOOK_SECRET, Sender
from tests.infrastructure import Infrastructure

ARRIVE_SECONDS_MAX = 90.0


class Installation:
    """Webhook, relay and sink as processes, meeting only in Kafka."""

    def __init__(
        self, infrastructure: Infrastructure, *, namespace: str, database_url: str, folder: Path
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
        }
        self._folder = folder
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
        return Sender(int(self.webhook.said("port")))

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

    def versions(self) -> dict[str, int]:
        """`metadata.version` of every subscription row."""
        found = self.rows("select id, metadata ->> 'version' as version from stripe.subscription")
        return {row["id"]: int(row["version"]) for row in found}

    def await_versions(self, expected: dict[str, int]) -> None:
        """Wait until the table says what is expected, neither more nor less."""
        eventually(
            lambda: self.versions() == expected,
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"the table of {len(expected)} subscriptions is right",
        )
