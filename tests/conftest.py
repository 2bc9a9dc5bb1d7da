"""Fixtures for tests that touch real parts: addresses, a fresh namespace, a fresh database."""

from collections.abc import Iterator

import pytest

from tests.infrastructure import Infrastructure, provided
from tests.isolation import fresh_database, fresh_namespace, new_namespace


@pytest.fixture(scope="session")
def stack() -> Iterator[Infrastructure]:
    """Kafka, schema registry and Postgres for the whole session."""
    with provided() as infrastructure:
        yield infrastructure


@pytest.fixture
def namespace(request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace that no other test has; its topics are removed afterwards."""
    if "stack" not in request.fixturenames:
        yield new_namespace()
        return
    with fresh_namespace(request.getfixturevalue("stack")) as name:
        yield name


@pytest.fixture
def database_url(stack: Infrastructure) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards."""
    with fresh_database(stack) as url:
        yield url
