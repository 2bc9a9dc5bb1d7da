"""Where Kafka, the schema registry and Postgres are, as services read it from the environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The three addresses.

    Attributes:
        kafka: bootstrap servers, `host:port`, separated by commas.
        registry: URL of the registry's Confluent API.
        database: URL of the database.
    """

    kafka: str
    registry: str
    database: str

    def environment(self) -> dict[str, str]:
        """The environment variables that lead a service here."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "SCHEMA_REGISTRY_URL": self.registry,
            "DATABASE_URL": self.database,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Addresses that are used instead of starting anything; empty where there is none."""

    kafka: str = ""
    registry: str = ""
    database: str = ""
