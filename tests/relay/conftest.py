"""Fixtures of the relay's tests on real Kafka and a real registry."""

from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure
from tests.relay.installation import Installation


@pytest.fixture
def installation(stack: Infrastructure, namespace: str, tmp_path: Path) -> Installation:
    """A fresh namespace with an inbox of two partitions and a topic for subscriptions."""
    return Installation(infrastructure=stack, namespace=namespace, folder=tmp_path)
