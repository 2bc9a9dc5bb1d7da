"""Fixtures for tests that touch real parts: addresses, a fresh namespace, a fresh database."""

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from psycopg import sql

from tests.infrastructure import Infrastructure, provided

REQUEST_SECONDS_MAX = 30.0


@pytest.fixture(scope="session")
def stack() -> Iterator[Infrastructure]:
    """Kafka, schema registry and Postgres for the whole session."""
    with provided() as infrastructure:
        yield infrastructure


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that no other test has; its topics are removed afterwards."""
    name = f"t{secrets.token_hex(6)}"
    yield name
    if "stack" in request.fixturenames:
        _delete_topics(request.getfixturevalue("stack").kafka, namespace=name)


@pytest.fixture
def database_url(stack: Infrastructure) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards."""
    name = f"stripeline_{secrets.token_hex(6)}"
    with psycopg.connect(stack.postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield _with_database(stack.postgres, name)
    with psycopg.connect(stack.postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def _delete_topics(bootstrap_servers: str, *, namespace: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    known = admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    mine = [name for name in known if name.startswith((f"{namespace}-", f"{namespace}."))]
    if mine:
        for future in admin.delete_topics(mine).values():
            future.result(REQUEST_SECONDS_MAX)
