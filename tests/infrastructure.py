"""Where the suite's real Kafka, schema registry and Postgres come from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

VARIABLES = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL", "DATABASE_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure:
    """The addresses that tests use.

    Attributes:
        kafka: bootstrap servers.
        registry: URL of the registry's Confluent API.
        postgres: URL of a database whose user may create databases.
    """

    kafka: str
    registry: str
    postgres: str


@contextmanager
def provided() -> Iterator[Infrastructure]:
    """Real parts: from the environment, else containers, else the local stack."""
    given = [os.environ.get(name, "") for name in VARIABLES]
    if all(given):
        yield Infrastructure(kafka=given[0], registry=given[1], postgres=given[2])
        return
    raise NotImplementedError
