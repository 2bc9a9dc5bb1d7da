"""`stripeline simulator` as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from stripe import StripeClient

from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.conftest import API_KEY
from tests.simulator.receiver import SECRET, Receiver

ROOT = Path(__file__).parents[2]
STOP_SECONDS_MAX = 30


@contextmanager
def running(**settings: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The process and the line that says where it listens."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SIMULATOR_PORT": "0",
        "HEALTH_PORT": "0",
        "HEALTH_HOST": "127.0.0.1",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "stripeline", "simulator"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        yield process, json.loads(process.stderr.readline())
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_command_serves_and_says_where(receiver: Receiver) -> None:
    settings = {
        "SIMULATOR_WEBHOOK_URL": receiver.url,
        "STRIPE_WEBHOOK_SECRET": f"whsec_new,{SECRET}",
        "SIMULATOR_FAULTS": '{"seed": 1, "webhooks": {"duplicated": 1.0}}',
    }
    with running(**settings) as (_process, line):
        client = StripeClient(API_KEY, base_addresses={"api": line["url"]})
        customer = client.v1.customers.create({"name": "Someone"})
        httpx.post(f"{line['url']}/_simulator/webhooks/settle", json={"seconds": 30})
        ready = httpx.get(f"http://127.0.0.1:{line['health_port']}/readyz").status_code

    assert line["event"] == "listening"
    assert line["url"].endswith(str(line["port"]))
    assert ready == 200
    assert [event["data"]["object"]["id"] for event in receiver.events] == [customer.id] * 2


def test_the_command_stops_when_asked() -> None:
    with running() as (process, _line):
        process.send_signal(signal.SIGTERM)

        assert process.wait(STOP_SECONDS_MAX) == 0


def test_a_port_that_is_taken_is_said_with_a_way_out() -> None:
    with Simulator(Options()) as simulator:
        told = subprocess.run(
            [sys.executable, "-m", "stripeline", "simulator"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "SIMULATOR_PORT": str(simulator.port),
                "HEALTH_PORT": "0",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    assert told.returncode == 2
    assert f"SIMULATOR_PORT {simulator.port}" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_help_says_how_to_point_the_library_at_it() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "stripeline", "simulator", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "base_addresses" in told.stdout
    assert "/_simulator/clock" in told.stdout
