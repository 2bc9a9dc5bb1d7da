"""Fixtures for tests that touch real parts: addresses, a fresh namespace, a fresh database."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.infrastructure import Infrastructure, provided
from tests.isolation import fresh_database, fresh_namespace, new_namespace

EXAMPLES = 100


def pytest_configure() -> None:
    """Properties: as many examples as asked for, and a way to repeat one that failed."""
    examples = int(os.environ.get("STRIPELINE_TEST_EXAMPLES", str(EXAMPLES)))
    # No deadline: a busy machine is no fault of the code.
    settings.register_profile("stripeline", max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("stripeline")


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
