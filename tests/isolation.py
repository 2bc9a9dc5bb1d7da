"""What keeps tests apart on shared servers: a fresh namespace in Kafka, a fresh database."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg import sql

from tests.infrastructure import Infrastructure

REQUEST_SECONDS_MAX = 30.0


def new_namespace() -> str:
    """A namespace that no other test has."""
    return f"t{secrets.token_hex(6)}"


@contextmanager
def fresh_namespace(infrastructure: Infrastructure) -> Iterator[str]:
    """A namespace that no other test has; its topics are removed afterwards."""
    name = new_namespace()
    yield name
    delete_topics(infrastructure, namespace=name)


def delete_topics(infrastructure: Infrastructure, *, namespace: str) -> None:
    """Remove every topic of a namespace."""
    admin = AdminClient({"bootstrap.servers": infrastructure.kafka})
    known = admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
    mine = [topic for topic in known if topic.startswith((f"{namespace}-", f"{namespace}."))]
    if mine:
        for future in admin.delete_topics(mine).values():
            future.result(REQUEST_SECONDS_MAX)


@contextmanager
def fresh_database(infrastructure: Infrastructure) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards."""
    name = f"stripeline_{secrets.token_hex(6)}"
    with psycopg.connect(infrastructure.postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield urlsplit(infrastructure.postgres)._replace(path=f"/{name}").geturl()
    with psycopg.connect(infrastructure.postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
