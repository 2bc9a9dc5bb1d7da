"""Fixtures of the sink's tests on a real Postgres."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sink.postgres_database import PostgresDatabase
from tests.end_to_end.services import Service
from tests.infrastructure import Infrastructure
from tests.sink.changes import TICKET, schema_of
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace

SinkStarter = Callable[..., Service]


@pytest.fixture
def postgres(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session of one's own in the fresh database, to look at what the sink did."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set time zone 'UTC'")
        yield connection


@pytest.fixture
def database(database_url: str) -> Iterator[PostgresDatabase]:
    """The sink's Postgres, migrated."""
    opened = PostgresDatabase(database_url, schema="stripe")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def publisher(stack: Infrastructure, namespace: str) -> Iterator[Publisher]:
    """Publishes in the fresh namespace; the topic of dead letters is there."""
    made = Publisher(stack, namespace=namespace)
    made.make_topic(made.names.dead_letters, partitions=1)
    yield made
    made.close()


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic for tickets."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    return publisher.register("ticket", schema_of(TICKET))


@pytest.fixture
def workplace(stack: Infrastructure, namespace: str, database_url: str) -> Workplace:
    """Rebuilds in the fresh namespace and the fresh database."""
    return Workplace(stack, namespace=namespace, database_url=database_url)


@pytest.fixture
def sink(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> Iterator[SinkStarter]:
    """Makes sinks as processes of their own: `sink()`, `sink("second", NAME=value)`."""
    with ExitStack() as started:

        def make(name: str = "sink", **environment: str) -> Service:
            service = Service(
                "sink",
                "run",
                environment={
                    "KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
                    "SCHEMA_REGISTRY_URL": stack.registry,
                    "DATABASE_URL": database_url,
                    "KAFKA_NAMESPACE": namespace,
                    **environment,
                },
                folder=tmp_path,
                name=name,
            )
            started.callback(service.close)
            return service

        yield make
