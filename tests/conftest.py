"""Fixtures for tests that touch real parts: addresses, a fresh namespace, a fresh database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.infrastructure import Infrastructure, provided
from tests.isolation import fresh_database, fresh_namespace, new_namespace

EXAMPLES = 100
SLOW_FILES = (
    "relay/test_faults.py",
    "end_to_end/test_outages.py",
    "end_to_end/test_nothing_is_lost_or_repeated.py",
    "sink/test_rebuild_interrupted.py",
    "relay/test_falling_behind.py",
    "sink/test_dead_letters_command.py",
    "backfill/test_interrupted.py",
    "stack/test_local_stack.py",
    "sink/test_sink_process.py",
    "stack/test_demo_command.py",
)
"""Files of minutes, mostly spent waiting: begun last, they would be what is left at the end."""


def pytest_configure() -> None:
    """Properties: as many examples as asked for, and a way to repeat one that failed."""
    examples = int(os.environ.get("STRIPELINE_TEST_EXAMPLES", str(EXAMPLES)))
    # No deadline: a busy machine is no fault of the code.
    settings.register_profile("stripeline", max_examples=examples, deadline=None, print_blob=True)
    settings.load_profile("stripeline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that take longest come first; each file stays together, in its own order."""
    here = Path(__file__).parent
    slow = {here / name: place for place, name in enumerate(SLOW_FILES)}
    items.sort(key=lambda item: slow.get(item.path, len(slow)))


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
