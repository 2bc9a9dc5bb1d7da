"""`producer run` is webhook, relay, poller and reconcile in one: together, or not at all."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.errors import ExitCode
from simulator.server import Simulator
from simulator.simulation import Options
from stack.identity import identity_of
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually, running
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.infrastructure import Infrastructure
from tests.poller.conftest import installed
from tests.simulator.conftest import client_of

pytestmark = pytest.mark.stack

PARTS = {"webhook", "poll", "reconcile", "relay"}


class Together:
    """An installation whose producer is one `producer run`."""

    def __init__(self, installation: Installation, simulator: Simulator) -> None:
        self.client = client_of(simulator)
        self.installation = installation
        port = _free_port()
        self.service = installation.service(
            "producer", "run", name="run", WEBHOOK_PORT=str(port), POLL_INTERVAL_SECONDS="3600"
        )
        simulator.send_webhooks_to(
            f"http://127.0.0.1:{port}/webhooks/stripe", secrets=[WEBHOOK_SECRET]
        )

    def processes(self) -> dict[str, int]:
        """Part -> the id of its newest process."""
        return {
            line["part"]: line["process"]
            for line in self.told()
            if line["event"] == "part started"
        }

    def told(self) -> list[dict[str, Any]]:
        """What all of them logged; nothing else may stand between the lines."""
        log = self.service.log()
        assert all(line.startswith("{") for line in log.splitlines()), log
        return [json.loads(line) for line in log.splitlines()]

    def await_row_of_a_new_customer(self) -> None:
        """A change goes all the way from Stripe to its row."""
        made = self.client.v1.customers.create({"name": "Ada"})
        query = f"select name from stripe.customer where id = '{made.id}'"
        eventually(
            lambda: self.installation.rows(query) == [{"name": "Ada"}],
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the customer has its row",
            more=self.service.log,
        )


@pytest.fixture(scope="module")
def together(
    stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Together]:
    folder = tmp_path_factory.mktemp("together")
    with installed(stack, folder=folder, options=Options()) as (installation, simulator):
        made = Together(installation, simulator)
        with running(made.service, installation.sink):
            yield made


def test_a_change_reaches_its_row_and_the_metrics_of_all_parts_are_one_page(
    together: Together,
) -> None:
    together.await_row_of_a_new_customer()

    together.service.await_ready()
    port = together.service.said("health_port")
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    for part in PARTS:
        assert f'stripeline_run_ready{{part="{part}"}}' in str(lines)
    assert 'stripeline_webhook_acknowledged_total{part="webhook"}' in str(lines)
    assert 'stripeline_poll_lag_seconds{part="poll"}' in str(lines)
    named = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(named) == len(set(named))


def test_ctrl_c_at_a_terminal_reaches_the_parent_alone(together: Together) -> None:
    # A terminal sends it to the processes of its group.
    processes = together.processes()
    assert {part: os.getpgid(one) for part, one in processes.items()} == processes


def test_parts_that_are_killed_are_started_again(together: Together) -> None:
    before = together.processes()
    killed = ("webhook", "relay")

    for part in killed:
        os.kill(before[part], signal.SIGKILL)

    eventually(
        lambda: all(together.processes()[part] != before[part] for part in killed),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="both are started again",
    )
    together.service.await_ready()
    together.await_row_of_a_new_customer()
    now = together.processes()
    assert {part for part in PARTS if now[part] != before[part]} == set(killed)
    assert together.service.metric("stripeline_run_restarts_total") == len(killed)


def test_what_is_not_ready_is_named(together: Together) -> None:
    os.kill(together.processes()["relay"], signal.SIGSTOP)
    port = together.service.said("health_port")

    def said() -> str:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").text

    eventually(
        lambda: "relay: " in (words := said()) and "webhook" not in words,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="it is named, and no other",
    )
    os.kill(together.processes()["relay"], signal.SIGCONT)
    together.service.await_ready()


def test_when_it_is_killed_nothing_is_left_behind(together: Together) -> None:
    processes = together.processes()
    assert set(processes) == PARTS

    together.service.kill()

    eventually(
        lambda: not any(map(is_alive, processes.values())),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="every part ended with its parent",
        more=lambda: str({part for part, one in processes.items() if is_alive(one)}),
    )
    together.service.start()


def test_it_stops_in_order_what_takes_in_first(together: Together) -> None:
    processes = together.processes()

    assert together.service.stop() == ExitCode.OK

    assert not any(map(is_alive, processes.values()))
    stopped = [line["part"] for line in together.told() if line["event"] == "part stopped"]
    assert stopped[-4:] == ["webhook", "poll", "reconcile", "relay"]


def test_a_wrong_setting_of_any_part_is_told_before_anything_starts(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "stripeline", "producer", "run"],
        env={"STRIPE_WEBHOOK_SECRET": "whsec_a", "HEALTH_PORT": "0", "COLUMNS": "400"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == ExitCode.WRONG_USAGE
    assert "STRIPE_API_KEY" in run.stderr
    assert "part started" not in run.stderr


def is_alive(process: int) -> bool:
    return identity_of(process) is not None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
