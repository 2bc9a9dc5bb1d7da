"""Fixtures of the relay's tests on real Kafka and a real registry."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.relay.installation import Installation, Relayed
from tests.relay.stripe_server import StripeServer


@pytest.fixture
def installation(stack: Infrastructure, namespace: str, tmp_path: Path) -> Installation:
    """A fresh namespace with an inbox of two partitions and a topic for subscriptions."""
    return Installation(infrastructure=stack, namespace=namespace, folder=tmp_path)


@pytest.fixture
def stripe_server() -> Iterator[StripeServer]:
    """A Stripe that says what the test tells it to."""
    with StripeServer() as server:
        yield server


@pytest.fixture(scope="module")
def relayed(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relayed]:
    """One relay at work for all tests of a module; each has objects of its own."""
    with fresh_namespace(stack) as namespace:
        installation = Installation(
            infrastructure=stack,
            namespace=namespace,
            folder=tmp_path_factory.mktemp("relay"),
            objects=("subscription", "coupon"),
        )
        with installation.relaying() as relay:
            yield Relayed(installation=installation, relay=relay)


@pytest.fixture
def object_id(request: pytest.FixtureRequest) -> str:
    """An id that no other test has."""
    return f"sub_{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}"
