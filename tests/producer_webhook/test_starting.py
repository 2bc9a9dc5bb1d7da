"""A service that cannot start says why, names the setting and repeats no secret."""

import socket
import subprocess
import sys

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.errors import ExitCode
from tests.infrastructure import Infrastructure

NOWHERE = "127.0.0.1:1"
REQUEST_SECONDS_MAX = 30.0


def _run(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stripeline", "producer", "webhook"],
        env={
            "KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
            "STRIPE_WEBHOOK_SECRET": "whsec_a",
            "WEBHOOK_HOST": "127.0.0.1",
            "WEBHOOK_PORT": "0",
            "HEALTH_PORT": "0",
            "COLUMNS": "400",
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "named", "taught"),
    [
        ({"STRIPE_WEBHOOK_SECRET": " , "}, "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRET=whsec"),
        ({"STRIPE_API_KEY": "pk_live_private"}, "STRIPE_API_KEY", "sk_test_"),
        ({"WEBHOOK_PORT": "70000"}, "WEBHOOK_PORT", "WEBHOOK_PORT=8080"),
        ({"WEBHOOK_QUEUE_EVENTS_MAX": "0"}, "WEBHOOK_QUEUE_EVENTS_MAX", "10000"),
        ({"WEBHOOK_EVENTBRIDGE_KEY": "private"}, "WEBHOOK_EVENTBRIDGE_KEY", "16"),
        ({"WEBHOOK_EVENT_GRID_KEY": "private"}, "WEBHOOK_EVENT_GRID_KEY", "16"),
        ({"TOPIC_PARTITIONS": "none"}, "TOPIC_PARTITIONS", "TOPIC_PARTITIONS=6"),
    ],
)
def test_a_wrong_setting_names_itself_and_an_example(
    settings: dict[str, str], named: str, taught: str
) -> None:
    run = _run(**settings)

    assert run.returncode == ExitCode.WRONG_USAGE
    assert named in run.stderr
    assert taught in run.stderr
    assert "Traceback" not in run.stderr
    assert "private" not in run.stderr


def test_a_port_in_use_is_a_wrong_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = _run(WEBHOOK_PORT=str(taken.getsockname()[1]))

    assert run.returncode == ExitCode.WRONG_USAGE
    assert "WEBHOOK_PORT" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.stack
def test_an_inbox_with_other_partitions_ends_the_service_with_the_reason(
    stack: Infrastructure, namespace: str
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    inbox = f"{namespace}-inbox"
    admin.create_topics([NewTopic(inbox, 2, 1)])[inbox].result(REQUEST_SECONDS_MAX)

    run = _run(
        KAFKA_BOOTSTRAP_SERVERS=stack.kafka, KAFKA_NAMESPACE=namespace, TOPIC_PARTITIONS="3"
    )

    assert run.returncode == ExitCode.FAILED
    assert "TOPIC_PARTITIONS=2" in run.stderr
    assert "Traceback" not in run.stderr
