"""A whole installation beside a simulated Stripe, and reconciles run as an operator does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from stripe import StripeClient

from producer.reconcile_report import exit_code, report_lines
from producer.reconcile_run import Reconciling
from producer.reconcile_settings import ReconcileSettings
from runtime.clock import SystemClock
from runtime.errors import ExitCode
from runtime.stop import Stop
from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import Service, eventually
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.infrastructure import Infrastructure
from tests.relay.installation import Installation as RelayInstallation
from tests.simulator.conftest import API_KEY, client_of
from tests.simulator.shop import Shop

RUN_SECONDS_MAX = 120.0
SETTLED_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a reconcile said and how it ended."""

    code: ExitCode
    lines: dict[str, str]
    everything: str


class Merchant:
    """A merchant's Stripe and the installation that follows it."""

    def __init__(self, installation: Installation, simulator: Simulator, *, folder: Path) -> None:
        self.installation = installation
        self._inbox = RelayInstallation(
            infrastructure=installation.infrastructure,
            namespace=installation.namespace,
            folder=folder,
            partitions=int(installation.environment["TOPIC_PARTITIONS"]),
            objects=(),
        )
        self.simulator = simulator
        self.client: StripeClient = client_of(simulator)
        self.shop = Shop(self.client)

    def settle(self) -> None:
        """Wait until every webhook was delivered and is relayed, and the second is over.

        What a list shows proves nothing about events of its own second.
        """
        assert self.simulator.settle(seconds=SETTLED_SECONDS_MAX)
        self.await_relayed()
        self.simulator.advance(seconds=2)

    def await_relayed(self) -> None:
        """Wait until the relay has read the inbox to its end."""
        self._inbox.await_relayed()

    def environment(self, **settings: str) -> dict[str, str]:
        """Of a reconcile."""
        return {
            **os.environ,
            **self.installation.environment,
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_API_BASE": self.simulator.url,
            "STRIPE_REQUESTS_PER_SECOND_MAX": "1000",
            "STRIPE_ENDPOINT_REQUESTS_PER_SECOND_MAX": "1000",
            "RECONCILE_SETTLE_SECONDS": "0",
            **settings,
        }

    def reconcile(self, *objects: str, connected: bool = False, dry_run: bool = False) -> Said:
        """One run to its end, in this process."""
        environment = self.environment()
        given = {
            name: environment[name.upper()]
            for name in ReconcileSettings.model_fields
            if name.upper() in environment
        }
        reconciling = Reconciling(
            ReconcileSettings.model_validate(given),
            objects,
            connected=connected,
            dry_run=dry_run,
            watched=False,
            clock=SystemClock(),
            stop=Stop(),
        )
        try:
            tallies = reconciling.once()
        finally:
            reconciling.close()
        return _said(exit_code(tallies), "\n".join(report_lines(tallies)))

    def command(self, *arguments: str, **settings: str) -> Said:
        """One run to its end, as an operator starts it."""
        ended = subprocess.run(
            [sys.executable, "-m", "stripeline", "producer", "reconcile", *arguments],
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return _said(ExitCode(ended.returncode), ended.stdout, ended.stderr)

    def launch(self, *arguments: str, **settings: str) -> Service:
        """Start a reconcile without waiting."""
        environment = self.environment(**settings)
        made = self.installation.service(
            "producer", "reconcile", *arguments, name="reconcile", **environment
        )
        made.launch()
        return made

    def inbox_end(self) -> int:
        """How many records the inbox has ever had."""
        topic = f"{self.installation.namespace}-inbox"
        consumer = Consumer(
            {"bootstrap.servers": self.installation.infrastructure.kafka, "group.id": "nobody"}
        )
        try:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            return sum(
                consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
                for partition in partitions
            )
        finally:
            consumer.close()

    def await_row(self, query: str, **expected: Any) -> None:
        """Wait until the one row of a query has these values."""
        self.await_rows(query, expected)

    def await_rows(self, query: str, *expected: dict[str, Any]) -> None:
        """Wait until the rows of a query have these values."""
        eventually(
            lambda: self.installation.rows(query) == list(expected),
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"{query} gives {expected}",
            more=lambda: str(self.installation.rows(query)),
        )


@contextmanager
def merchant(
    infrastructure: Infrastructure, *, namespace: str, database_url: str, folder: Path
) -> Iterator[Merchant]:
    """A merchant whose webhooks arrive, unless they are dropped."""
    with Simulator(Options(webhook_retry_seconds=0.2)) as simulator:
        installation = Installation(
            infrastructure, namespace=namespace, database_url=database_url, folder=folder
        )
        asking = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": simulator.url}
        installation.relay = installation.service("producer", "relay", name="relay", **asking)
        with installation.running():
            port = installation.webhook.said("port")
            address = f"http://127.0.0.1:{port}/webhooks/stripe"
            simulator.send_webhooks_to(address, secrets=[WEBHOOK_SECRET])
            yield Merchant(installation, simulator, folder=folder)


def _said(code: ExitCode, report: str, log: str = "") -> Said:
    lines = dict(line.split(": ", 1) for line in report.splitlines() if ": " in line)
    return Said(code=code, lines=lines, everything=report + log)
