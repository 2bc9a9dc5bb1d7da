"""Fixtures that run a whole installation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.installation import Installation
from tests.end_to_end.services import running
from tests.infrastructure import Infrastructure


@pytest.fixture
def stopped_installation(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> Installation:
    """An installation whose services are not started yet."""
    return Installation(stack, namespace=namespace, database_url=database_url, folder=tmp_path)


@pytest.fixture
def installation(stopped_installation: Installation) -> Iterator[Installation]:
    """An installation that runs and is ready."""
    with running(
        stopped_installation.webhook, stopped_installation.relay, stopped_installation.sink
    ):
        yield stopped_installation
