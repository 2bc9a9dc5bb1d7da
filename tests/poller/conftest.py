"""A simulated Stripe whose webhooks reach nobody, and what brings its events in all the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

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
    """A simulator, and an installation whose relay and sink run.

    Attributes:
        accounts: ids of connected accounts.
        poller: of all accounts.
    """

    simulator: Simulator
    client: StripeClient
    accounts: tuple[str, ...]
    installation: Installation
    poller: Service


@contextmanager
def installed(
    stack: Infrastructure, *, folder: Path, options: Options, **settings: str
) -> Iterator[tuple[Installation, Simulator]]:
    """An installation of a simulated Stripe of its own; nothing of it runs yet."""
    with (
        fresh_namespace(stack) as namespace,
        fresh_database(stack) as database_url,
        Simulator(options) as simulator,
    ):
        installation = Installation(
            stack,
            namespace=namespace,
            database_url=database_url,
            folder=folder,
            STRIPE_API_KEY=API_KEY,
            STRIPE_API_BASE=simulator.url,
            **settings,
        )
        yield installation, simulator


@contextmanager
def polled_installation(
    stack: Infrastructure, *, folder: Path, options: Options
) -> Iterator[Polled]:
    """Relay and sink run, and the poller is not started yet."""
    with installed(
        stack,
        folder=folder,
        options=options,
        STRIPE_REQUESTS_PER_SECOND_MAX="1000",
        POLL_INTERVAL_SECONDS=INTERVAL_SECONDS,
    ) as (installation, simulator):
        client = client_of(simulator)
        poller = installation.service("producer", "poll", "--connected", name="poll")
        try:
            with running(installation.relay, installation.sink):
                yield Polled(
                    simulator=simulator,
                    client=client,
                    accounts=tuple(client.v1.accounts.create().id for _account in range(2)),
                    installation=installation,
                    poller=poller,
                )
        finally:
            poller.close()


@pytest.fixture(scope="module")
def polled(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polled]:
    """One installation for all tests of a module, each with objects of its own; it polls."""
    folder = tmp_path_factory.mktemp("polled")
    with polled_installation(stack, folder=folder, options=Options()) as made:
        made.poller.start()
        yield made
