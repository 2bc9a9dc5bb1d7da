"""`make up`: the services against real Stripe, for which a simulated one stands here."""

from pathlib import Path

import httpx
import pytest

from simulator.server import Simulator
from stack.folder import HOST, Folder
from stack.supervisor import Supervisor
from tests.infrastructure import Infrastructure
from tests.stack.commands import command, given


@pytest.mark.stack
@pytest.mark.timeout(300)
def test_the_services_start_once_and_stop(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path
) -> None:
    with Simulator() as simulator:
        _assert_they_start_once_and_stop(
            {
                **given(stack),
                "DATABASE_URL": database_url,
                "KAFKA_NAMESPACE": namespace,
                "STRIPE_API_BASE": simulator.url,
            },
            tmp_path,
        )


def _assert_they_start_once_and_stop(given_environment: dict[str, str], tmp_path: Path) -> None:
    port = Folder(path=tmp_path).usable_port("test")
    environment = {
        **given_environment,
        "TOPIC_PARTITIONS": "1",
        "OBJECTS": "customer",
        "STRIPE_API_KEY": "sk_test_1",
        "STRIPE_WEBHOOK_SECRET": "whsec_1",
        "WEBHOOK_PORT": str(port),
    }
    supervisor = Supervisor(Folder(path=tmp_path / ".stripeline" / "local"))
    try:
        first = command("up", "--services", folder=tmp_path, **environment)
        assert first.returncode == 0, first.stderr
        running = {told.name: told.identity for told in supervisor.all_running()}
        assert set(running) == {"webhook", "poll", "relay", "sink"}
        unsigned = httpx.post(f"http://{HOST}:{port}/webhooks/stripe", json={})
        assert unsigned.status_code == 400

        second = command("up", "--services", folder=tmp_path, **environment)
        assert "Starting" not in second.stdout
        assert first.stdout.endswith(second.stdout)
        assert {told.name: told.identity for told in supervisor.all_running()} == running
    finally:
        stopped = command("down", folder=tmp_path, **environment)
    assert stopped.returncode == 0, stopped.stderr
    assert supervisor.all_running() == []


def test_real_stripe_is_not_tried_without_its_keys(tmp_path: Path) -> None:
    told = command("up", "--services", folder=tmp_path, STRIPE_API_KEY="sk_test_1")
    assert told.returncode == 2
    assert "STRIPE_WEBHOOK_SECRET: missing" in told.stderr
    assert "STRIPE_API_KEY:" not in told.stderr
    assert list(tmp_path.iterdir()) == []
