"""A simulator of its own for each test, and Stripe's own client for it."""

from collections.abc import Iterator

import httpx
import pytest
from stripe import StripeClient

from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.receiver import OLD_SECRET, SECRET, Receiver
from tests.simulator.shop import Shop

API_KEY = "sk_test_simulated"
START_SECONDS = 1_800_000_000


def client_of(simulator: Simulator) -> StripeClient:
    return StripeClient(API_KEY, base_addresses={"api": simulator.url}, max_network_retries=0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@pytest.fixture
def simulator(receiver: Receiver) -> Iterator[Simulator]:
    """Begins at `START_SECONDS` and sends its webhooks to `receiver`."""
    options = Options(
        start_seconds=START_SECONDS,
        webhook_url=receiver.url,
        webhook_secrets=(SECRET, OLD_SECRET),
        webhook_retry_seconds=0.01,
    )
    with Simulator(options) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> StripeClient:
    return client_of(simulator)


@pytest.fixture
def http(simulator: Simulator) -> Iterator[httpx.Client]:
    """Requests as they are on the wire, with a key."""
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def shop(client: StripeClient) -> Shop:
    return Shop(client)
