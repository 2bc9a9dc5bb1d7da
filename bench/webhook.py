"""The webhook's speed: HTTP included, until Kafka has acknowledged, beside the bare server's."""

import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure
from tests.end_to_end.services import Service, eventually
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.producer_webhook.conftest import webhook_service
from tests.producer_webhook.requests import SECRET

CONNECTIONS = 32
SECONDS = 8
RATES = (200, 1_000)
START_SECONDS_MAX = 30.0


def run(infrastructure: Infrastructure) -> list[Figure]:
    """As fast as 32 connections go, then at fixed rates, then the bare server."""
    with fresh_namespace(infrastructure) as namespace, _webhook(infrastructure, namespace) as ours:
        fastest = _load(ours.said("port"), server=ours.process_id)
        paced = {
            rate: _load(ours.said("port"), server=ours.process_id, rate=rate) for rate in RATES
        }
    with _bare_server() as (port, process_id):
        bare = _load(port, server=process_id)
    return [
        _figure("webhook", fastest, ratio=fastest["per_second"] / bare["per_second"]),
        _figure("webhook_bare_server", bare),
        *(_figure(f"webhook_at_{rate}", seen) for rate, seen in paced.items()),
    ]


def _figure(name: str, seen: dict[str, float], *, ratio: float | None = None) -> Figure:
    return Figure(
        name=name,
        per_second=seen["per_second"],
        ratio=ratio,
        p50_ms=seen["p50_ms"],
        p99_ms=seen["p99_ms"],
        details={
            "per_cpu_second": round(seen["per_cpu_second"]),
            "server_cores": round(seen["server_cores"], 2),
            "client_cores": round(seen["client_cores"], 2),
            "failed": int(seen["failed"]),
        },
    )


def _load(port: int, *, server: int, rate: float = 0) -> dict[str, float]:
    arguments = {
        "port": port,
        "connections": CONNECTIONS,
        "rate": rate,
        "seconds": SECONDS,
        "server": server,
        "secret": SECRET,
    }
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench.http_load",
            *(f"--{name}={value}" for name, value in arguments.items()),
        ],
        check=True,
        stdout=subprocess.PIPE,
    )
    found: dict[str, float] = json.loads(run.stdout)
    return found


@contextmanager
def _webhook(infrastructure: Infrastructure, namespace: str) -> Iterator[Service]:
    with tempfile.TemporaryDirectory() as folder:
        service = webhook_service(
            infrastructure.kafka, namespace, Path(folder), TOPIC_PARTITIONS="6"
        )
        service.start()
        try:
            yield service
        finally:
            service.close()


@contextmanager
def _bare_server() -> Iterator[tuple[int, int]]:
    """A running bare server: its port and process id."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "bench.bare_server", str(port)])
    try:
        eventually(
            lambda: _answers(port), seconds_max=START_SECONDS_MAX, what="the bare server listens"
        )
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0
