"""Fixtures of the sink's tests on a real Postgres."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sink.postgres_database import PostgresDatabase


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
