"""What probes and Prometheus see of a service, asked over real HTTP."""

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from runtime.errors import WrongSetting
from runtime.health import STALL_SECONDS_MAX, Health, HealthServer
from runtime.metrics import WEBHOOK_RECEIVED, Meters


class HandClock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def utc_micros(self) -> int:
        return int(self.seconds * 1_000_000)

    def monotonic_seconds(self) -> float:
        return self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    clock: HandClock
    health: Health
    meters: Meters
    server: HealthServer

    def ask(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        try:
            with urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def service() -> Iterator[Service]:
    clock = HandClock()
    health = Health(clock=clock)
    meters = Meters()
    server = HealthServer(health=health, registry=meters.registry, host="127.0.0.1", port=0)
    server.start()
    yield Service(clock=clock, health=health, meters=meters, server=server)
    server.stop()


def test_a_starting_service_is_live_and_not_ready(service: Service) -> None:
    assert service.ask("/healthz") == (200, '{"status": "ok"}\n')
    status, body = service.ask("/readyz")
    assert status == 503
    assert json.loads(body) == {"status": "unavailable", "reason": "starting"}


def test_a_ready_service_says_so_until_it_is_unready_with_a_reason(service: Service) -> None:
    service.health.mark_ready()
    assert service.ask("/readyz")[0] == 200

    service.health.mark_unready("Postgres is away")

    status, body = service.ask("/readyz")
    assert status == 503
    assert json.loads(body)["reason"] == "Postgres is away"
    assert service.ask("/healthz")[0] == 200


def test_a_loop_that_stands_still_is_neither_live_nor_ready(service: Service) -> None:
    service.health.mark_ready()

    service.clock.seconds += STALL_SECONDS_MAX + 1

    assert service.ask("/healthz")[0] == 503
    status, body = service.ask("/readyz")
    assert status == 503
    assert "stands still" in json.loads(body)["reason"]


def test_a_beat_makes_a_stalled_loop_live_again(service: Service) -> None:
    service.health.mark_ready()
    service.clock.seconds += STALL_SECONDS_MAX + 1

    service.health.beat()

    assert service.ask("/healthz")[0] == 200
    assert service.ask("/readyz")[0] == 200


def test_prometheus_reads_the_meters_and_only_get_of_known_paths_is_answered(
    service: Service,
) -> None:
    service.meters.add(WEBHOOK_RECEIVED, 3)

    status, body = service.ask("/metrics?name=ignored")

    assert status == 200
    assert "stripeline_webhook_received_total 3.0" in body
    assert service.ask("/")[0] == 404
    assert service.ask("/metrics/../etc")[0] == 404


def test_a_taken_port_is_a_wrong_setting_with_an_example(service: Service) -> None:
    with pytest.raises(WrongSetting, match=r"HEALTH_PORT .*for example HEALTH_PORT=9109"):
        HealthServer(
            health=service.health,
            registry=service.meters.registry,
            host="127.0.0.1",
            port=service.server.port,
        )


def test_a_stopped_server_gives_its_port_back() -> None:
    health = Health(clock=HandClock())
    first = HealthServer(health=health, registry=Meters().registry, host="127.0.0.1", port=0)
    first.start()
    port = first.port
    first.stop()

    second = HealthServer(health=health, registry=Meters().registry, host="127.0.0.1", port=port)

    assert second.port == port
    second.stop()


def test_a_prober_that_hangs_up_is_not_worth_a_line(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    for _prober in range(50):
        with socket.create_connection(("127.0.0.1", service.server.port)) as line:
            # The connection is reset, not closed in order.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            line.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")

    assert service.ask("/healthz")[0] == 200
    assert capfd.readouterr().err == ""
