"""Fixtures that run a whole installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace


@pytest.fixture
def installation(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> Iterator[Installation]:
    """An installation of the test's own, which it may harm; it runs and is ready."""
    made = Installation(stack, namespace=namespace, database_url=database_url, folder=tmp_path)
    with made.running():
        yield made


@pytest.fixture(scope="module")
def shared_installation(
    stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """An installation for all tests of a module, each with objects of its own."""
    folder = tmp_path_factory.mktemp("installation")
    with fresh_namespace(stack) as namespace, fresh_database(stack) as database_url:
        made = Installation(stack, namespace=namespace, database_url=database_url, folder=folder)
        with made.running():
            yield made
