"""A simulated Stripe whose webhooks reach nobody, and what brings its events in all the same."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from stripe import StripeClient

from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.installation import Installation
from tests.end_to_end.services import Service, running
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace
from tests.simulator.conftest import API_KEY, client_of

INTERVAL_SECONDS = "0.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A simulator, and an installation whose relay, sink and poller run.

    Attributes:
        accounts: ids of connected accounts.
        asking: settings with which a service asks this simulator.
    """

    simulator: Simulator
    client: StripeClient
    accounts: tuple[str, ...]
    asking: dict[str, str]
    installation: Installation
    relay: Service
    poller: Service


def polled_installation(installation: Installation, simulator: Simulator) -> Polled:
    """The services that ask this simulator; none is started."""
    client = client_of(simulator)
    asking = {
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_API_BASE": simulator.url,
        "STRIPE_REQUESTS_PER_SECOND_MAX": "1000",
    }
    return Polled(
        simulator=simulator,
        client=client,
        asking=asking,
        accounts=tuple(client.v1.accounts.create().id for _account in range(2)),
        installation=installation,
        relay=installation.service("producer", "relay", name="relay", **asking),
        poller=installation.service(
            "producer",
            "poll",
            "--connected",
            name="poll",
            POLL_INTERVAL_SECONDS=INTERVAL_SECONDS,
            **asking,
        ),
    )


@pytest.fixture(scope="module")
def polled(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polled]:
    """One installation for all tests of a module, each with objects of its own."""
    folder = tmp_path_factory.mktemp("polled")
    with (
        fresh_namespace(stack) as namespace,
        fresh_database(stack) as database_url,
        Simulator(Options()) as simulator,
    ):
        installation = Installation(
            stack, namespace=namespace, database_url=database_url, folder=folder
        )
        made = polled_installation(installation, simulator)
        with running(made.relay, installation.sink, made.poller):
            yield made
