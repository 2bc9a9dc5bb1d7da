"""The compose file, built and run for real; minutes long, so only where it is asked for."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import stripe

ROOT = Path(__file__).resolve().parents[2]
ASKED_FOR = "STRIPELINE_TEST_COMPOSE"
UP_SECONDS_MAX = 900
ARRIVAL_SECONDS_MAX = 120
POLL_SECONDS = 0.5
OURS = ("producer-webhook", "producer-relay", "sink", "simulator")
PORTS = (
    "KAFKA_PORT",
    "REGISTRY_PORT",
    "POSTGRES_PORT",
    "WEBHOOK_PORT",
    "WEBHOOK_HEALTH_PORT",
    "RELAY_HEALTH_PORT",
    "SINK_HEALTH_PORT",
    "SIMULATOR_PORT",
)

pytestmark = [
    pytest.mark.skipif(
        os.environ.get(ASKED_FOR) != "1",
        reason=f"builds images and takes minutes; with Docker, set {ASKED_FOR}=1",
    ),
    pytest.mark.timeout(UP_SECONDS_MAX * 2),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """One run of the compose file under a name of its own.

    Attributes:
        environment: what `docker compose` runs with; the published ports stand in it.
    """

    project: str
    environment: dict[str, str]

    def docker(self, *arguments: str) -> str:
        """What a `docker` command prints."""
        done = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=UP_SECONDS_MAX,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.strip()

    def compose(self, *arguments: str) -> str:
        return self.docker(
            "compose", "--project-name", self.project, "--profile", "demo", *arguments
        )

    def rows(self, query: str) -> str:
        """A query's answer, as psql prints it bare."""
        return self.compose(
            "exec", "-T", "postgres", "psql", "-U", "stripeline", "-At", "-c", query
        )

    def inspected(self, service: str, template: str) -> str:
        return self.docker("inspect", f"{self.project}-{service}-1", "--format", template)

    def await_rows(self, query: str, wanted: str) -> None:
        """Wait until a query answers `wanted`; its table may not be there yet."""
        until = time.monotonic() + ARRIVAL_SECONDS_MAX
        seen = ""
        while time.monotonic() < until:
            table = query.split(" from ")[1].split(maxsplit=1)[0]
            if self.rows(f"select to_regclass('{table}') is not null") == "t":
                seen = self.rows(query)
                if seen == wanted:
                    return
            time.sleep(POLL_SECONDS)
        pytest.fail(f"{query}: {seen!r} instead of {wanted!r}")

    def await_healthy(self, service: str) -> None:
        until = time.monotonic() + ARRIVAL_SECONDS_MAX
        while self.inspected(service, "{{.State.Health.Status}}") != "healthy":
            assert time.monotonic() < until, f"{service} does not become healthy again"
            time.sleep(POLL_SECONDS)


@pytest.fixture(scope="module")
def composition() -> Iterator[Composition]:
    """Everything up and healthy, from nothing; gone afterwards."""
    composition = Composition(
        project=f"stripeline-test-{secrets.token_hex(3)}",
        environment=dict(os.environ) | {name: str(free_port()) for name in PORTS},
    )
    try:
        composition.compose("up", "--build", "--detach", "--wait")
        yield composition
    finally:
        composition.compose("down", "--volumes", "--timeout", "30")
        images = [f"{composition.project}-{service}" for service in OURS]
        composition.docker("image", "rm", "--force", *images)
    label = f"label=com.docker.compose.project={composition.project}"
    assert composition.docker("ps", "--all", "--quiet", "--filter", label) == ""
    assert composition.docker("volume", "ls", "--quiet", "--filter", label) == ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def simulated(composition: Composition) -> stripe.StripeClient:
    port = composition.environment["SIMULATOR_PORT"]
    return stripe.StripeClient("sk_test_any", base_addresses={"api": f"http://127.0.0.1:{port}"})


def subscribe(client: stripe.StripeClient, *, platform: str) -> str:
    """A new subscription on trial; its id."""
    customer = client.v1.customers.create({"email": "jo@example.com"})
    product = client.v1.products.create({"name": "Plan"})
    price = client.v1.prices.create(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": 900,
            "recurring": {"interval": "month"},
        }
    )
    made = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "trial_period_days": 14,
            "metadata": {"platform": platform},
        }
    )
    return made.id


def test_every_container_is_healthy_and_runs_as_nobody_in_particular(
    composition: Composition,
) -> None:
    told = composition.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.Health}}")

    assert len(told.splitlines()) == 7
    assert all(line.endswith("running healthy") for line in told.splitlines())
    for service in OURS:
        assert composition.compose("exec", "-T", service, "id", "-u") == "10001"


def test_a_subscription_in_the_simulator_becomes_a_row(composition: Composition) -> None:
    subscription = subscribe(simulated(composition), platform="web")

    composition.await_rows(
        "select status, metadata ->> 'platform', trial_ends is not null "
        f"from stripe.subscription where id = '{subscription}'",
        "trialing|web|t",
    )


@pytest.mark.parametrize("service", ["producer-relay", "sink"])
def test_a_killed_service_comes_back_and_goes_on(composition: Composition, service: str) -> None:
    before = int(composition.inspected(service, "{{.RestartCount}}"))
    process = int(composition.inspected(service, "{{.State.Pid}}"))
    client = simulated(composition)
    during = subscribe(client, platform=f"{service} during")
    try:
        os.kill(process, signal.SIGKILL)
    except PermissionError:
        pytest.skip("a container's process can be killed from outside by root only")

    after = subscribe(client, platform=f"{service} after")

    for subscription, platform in ((during, "during"), (after, "after")):
        composition.await_rows(
            f"select metadata ->> 'platform' from stripe.subscription where id = '{subscription}'",
            f"{service} {platform}",
        )
    assert int(composition.inspected(service, "{{.RestartCount}}")) == before + 1
    composition.await_healthy(service)


@pytest.mark.parametrize("service", OURS)
def test_a_service_stops_by_itself_when_asked(composition: Composition, service: str) -> None:
    composition.compose("stop", "--timeout", "30", service)

    assert composition.inspected(service, "{{.State.ExitCode}}") == "0"
    composition.compose("start", service)
    composition.await_healthy(service)
