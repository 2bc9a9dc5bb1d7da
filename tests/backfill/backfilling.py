"""Runs the real `stripeline producer backfill` against a simulated Stripe and reads its inbox."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from producer.kafka_cursors import Cursors
from schemas.inbox import Envelope
from schemas.topics import Names
from simulator.server import Simulator
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.producer_webhook.inbox import read_inbox

API_KEY = "sk_test_simulated"
END_SECONDS_MAX = 120.0
PARTITIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that came to its end.

    Attributes:
        shown: standard output.
        said: standard error.
    """

    code: int
    shown: str
    said: str


class Running:
    """A run in a process of its own."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stripeline", "producer", "backfill", *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def goes_on(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL; nothing happens if it has ended."""
        self._process.kill()
        if self._process.stdout is not None and not self._process.stdout.closed:
            self._process.communicate()

    def end(self) -> Ended:
        """Wait for its end."""
        try:
            shown, said = self._process.communicate(timeout=END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise AssertionError(f"the backfill did not end in {END_SECONDS_MAX} s") from None
        return Ended(code=self._process.returncode, shown=shown, said=said)


class Backfilling:
    """One installation: a simulator, a namespace, and any number of runs."""

    def __init__(self, stack: Infrastructure, *, namespace: str, simulator: Simulator) -> None:
        self._stack = stack
        self._namespace = namespace
        self.simulator = simulator
        self._started: list[Running] = []

    def start(self, *arguments: str, **settings: str) -> Running:
        """Begin a run, at any speed unless the settings say otherwise."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": self._stack.kafka,
            "KAFKA_NAMESPACE": self._namespace,
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "STRIPE_API_KEY": API_KEY,
            "STRIPE_API_BASE": self.simulator.url,
            "STRIPE_REQUESTS_PER_SECOND_MAX": "100000",
            "STRIPE_ENDPOINT_REQUESTS_PER_SECOND_MAX": "100000",
            "COLUMNS": "200",
        }
        running = Running(*arguments, environment={**environment, **settings})
        self._started.append(running)
        return running

    def close(self) -> None:
        """End the runs that a failed test left behind."""
        for running in self._started:
            running.kill()

    def run(self, *arguments: str, **settings: str) -> Ended:
        """A run from its beginning to its end, which is to be good."""
        ended = self.start(*arguments, **settings).end()
        assert ended.code == 0, ended.said
        return ended

    def keys(self) -> list[str]:
        """The key of every record in the inbox."""
        return [record.key for record in read_inbox(self._stack, self._namespace)]

    def bodies(self) -> dict[str, dict[str, object]]:
        """Key -> the body that came last."""
        found = read_inbox(self._stack, self._namespace)
        return {record.key: json.loads(record.value) for record in found}

    def envelopes(self) -> dict[str, Envelope]:
        """Key -> the envelope that came last."""
        found = read_inbox(self._stack, self._namespace)
        return {record.key: Envelope.from_headers(record.headers) for record in found}

    def cursors(self) -> dict[str, dict[str, object]]:
        """Where the runs stand."""
        topic = Names(namespace=self._namespace).cursors
        return Cursors(kafka={"bootstrap.servers": self._stack.kafka}, topic=topic).read()

    def requests(self) -> int:
        """How many requests the simulator has answered."""
        return sum(self.simulator.requests_by_second().values())

    def await_requests(self, running: Running, count: int) -> None:
        """Wait until so many more requests were answered, or the run has ended."""
        before = self.requests()
        eventually(
            lambda: self.requests() >= before + count or not running.goes_on,
            seconds_max=END_SECONDS_MAX,
            what=f"{count} requests more are answered",
        )
