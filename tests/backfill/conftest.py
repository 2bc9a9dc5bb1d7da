"""A simulated Stripe for each test, and the producer's own way to it."""

from collections.abc import Iterator

import pytest
from stripe import StripeClient

from producer.rate_limit import AllowedRates, RateLimiter
from producer.stripe_api import StripeApi
from runtime.clock import SystemClock
from simulator.server import Simulator
from simulator.simulation import Options
from tests.backfill.backfilling import API_KEY, Backfilling
from tests.infrastructure import Infrastructure
from tests.simulator.shop import Shop

START_SECONDS = 1_800_000_000


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Begins at `START_SECONDS` and sends no webhooks."""
    with Simulator(Options(start_seconds=START_SECONDS)) as running:
        yield running


@pytest.fixture
def client(simulator: Simulator) -> StripeClient:
    return StripeClient(API_KEY, base_addresses={"api": simulator.url}, max_network_retries=0)


@pytest.fixture
def shop(client: StripeClient) -> Shop:
    return Shop(client)


@pytest.fixture
def limiter() -> RateLimiter:
    """Lets everything pass at once."""
    allowed = AllowedRates(account_per_second=10_000.0, endpoint_per_second=10_000.0)
    return RateLimiter(clock=SystemClock(), allowed=allowed)


@pytest.fixture
def api(simulator: Simulator, limiter: RateLimiter) -> StripeApi:
    return StripeApi(key=API_KEY, base=simulator.url, clock=SystemClock(), limiter=limiter)


@pytest.fixture
def backfilling(
    stack: Infrastructure, namespace: str, simulator: Simulator
) -> Iterator[Backfilling]:
    made = Backfilling(stack, namespace=namespace, simulator=simulator)
    yield made
    made.close()
