"""While Kafka is away, hangs or is slow: 503, nothing pretended, and all is well again after."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.services import Service, eventually
from tests.infrastructure import Infrastructure
from tests.producer_webhook.conftest import webhook_service
from tests.producer_webhook.inbox import read_inbox
from tests.producer_webhook.requests import Sender, about, encoded
from tests.proxy import Line, Proxy, kafka_proxy

pytestmark = pytest.mark.stack

RECOVERY_SECONDS_MAX = 60.0


@pytest.fixture
def line(stack: Infrastructure) -> Iterator[Proxy]:
    """The only way to Kafka."""
    with kafka_proxy(stack.kafka) as proxy:
        yield proxy
        proxy.set(Line.OPEN)


@contextmanager
def _started(service: Service) -> Iterator[Sender]:
    service.start()
    sender = Sender(int(service.said("port")))
    try:
        yield sender
    finally:
        sender.close()
        service.close()


def _event(number: int) -> bytes:
    return encoded(about({"id": f"cus_{number}", "object": "customer"}, f"evt_{number}"))


def _post_alone(port: int, body: bytes) -> httpx.Response:
    """Post over a connection of its own."""
    sender = Sender(port)
    try:
        return sender.post(body)
    finally:
        sender.close()


def _readiness(service: Service) -> httpx.Response:
    port = service.said("health_port")
    return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30)


def _ready_status(service: Service) -> int:
    return _readiness(service).status_code


def test_a_service_that_starts_before_kafka_waits_unready_and_says_so(
    stack: Infrastructure, namespace: str, line: Proxy, tmp_path: Path
) -> None:
    line.set(Line.CUT)
    service = webhook_service(line.address, namespace, tmp_path)
    service.launch()
    try:
        sender = Sender(int(service.said("port")))
        assert service.said("pause_seconds") > 0
        assert "waiting for kafka" in service.log()
        assert _ready_status(service) == 503
        assert sender.post(_event(1)).status_code == 503

        line.set(Line.OPEN)

        eventually(
            lambda: _ready_status(service) == 200,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="the service is ready",
        )
        assert sender.post(_event(1)).status_code == 200
        sender.close()
    finally:
        service.close()
    assert [record.value for record in read_inbox(stack, namespace)] == [_event(1)]


@pytest.mark.parametrize("fault", [Line.HELD, Line.CUT])
def test_an_event_that_kafka_does_not_acknowledge_in_time_is_answered_503_until_it_is_back(
    stack: Infrastructure, namespace: str, line: Proxy, tmp_path: Path, fault: Line
) -> None:
    service = webhook_service(
        line.address, namespace, tmp_path, WEBHOOK_ACKNOWLEDGE_SECONDS_MAX="1"
    )
    with _started(service) as sender:
        assert sender.post(_event(1)).status_code == 200

        line.set(fault)
        answer = sender.post(_event(2))
        assert answer.status_code == 503
        assert "did not acknowledge" in answer.text
        eventually(
            lambda: _ready_status(service) == 503,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="the service says that it is not ready",
        )
        line.set(Line.OPEN)

        # As Stripe does: again and again.
        eventually(
            lambda: sender.post(_event(2)).status_code == 200,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="the event is acknowledged",
        )
    assert {record.value for record in read_inbox(stack, namespace)} == {_event(1), _event(2)}


def test_a_full_queue_is_answered_503_at_once_and_the_loop_goes_on(
    stack: Infrastructure, namespace: str, line: Proxy, tmp_path: Path
) -> None:
    service = webhook_service(
        line.address,
        namespace,
        tmp_path,
        WEBHOOK_QUEUE_EVENTS_MAX="3",
        WEBHOOK_ACKNOWLEDGE_SECONDS_MAX="60",
    )
    with _started(service) as sender, ThreadPoolExecutor(3) as threads:
        line.set(Line.HELD)
        waiting = [
            threads.submit(_post_alone, int(service.said("port")), _event(number))
            for number in range(3)
        ]
        eventually(
            lambda: service.metric("stripeline_webhook_queued") == 3,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="three events wait for Kafka",
        )

        refused = sender.post(_event(4))

        # The three still wait for a broker that hangs, and the loop answers others.
        assert refused.status_code == 503
        assert "too many events" in refused.text
        assert sender.ask("GET", "/").status_code == 404
        assert not any(answer.done() for answer in waiting)
        line.set(Line.OPEN)
        assert [answer.result().status_code for answer in waiting] == [200, 200, 200]
    stored = [record.value for record in read_inbox(stack, namespace)]
    assert sorted(stored) == [_event(number) for number in range(3)]


def test_a_slow_line_delays_answers_and_loses_none(
    stack: Infrastructure, namespace: str, line: Proxy, tmp_path: Path
) -> None:
    service = webhook_service(line.address, namespace, tmp_path)
    with _started(service) as sender:
        line.set(Line.OPEN, delay_seconds=0.2)

        answers = [sender.post(_event(number)).status_code for number in range(3)]

    assert answers == [200, 200, 200]
    stored = [record.value for record in read_inbox(stack, namespace)]
    assert sorted(stored) == [_event(number) for number in range(3)]


def test_an_orderly_stop_waits_for_the_events_that_are_on_their_way(
    stack: Infrastructure, namespace: str, line: Proxy, tmp_path: Path
) -> None:
    service = webhook_service(
        line.address, namespace, tmp_path, WEBHOOK_ACKNOWLEDGE_SECONDS_MAX="60"
    )
    with _started(service) as sender, ThreadPoolExecutor(2) as threads:
        line.set(Line.HELD)
        answer = threads.submit(sender.post, _event(1))
        eventually(
            lambda: service.metric("stripeline_webhook_queued") == 1,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="the event waits for Kafka",
        )
        exit_code = threads.submit(service.stop)
        eventually(
            lambda: "stopping" in _readiness(service).text,
            seconds_max=RECOVERY_SECONDS_MAX,
            what="the service says that it stops",
        )
        assert not answer.done()

        line.set(Line.OPEN)

        assert answer.result().status_code == 200
        assert exit_code.result() == 0
    assert [record.value for record in read_inbox(stack, namespace)] == [_event(1)]


def test_a_kill_loses_no_acknowledged_event(
    stack: Infrastructure, namespace: str, tmp_path: Path
) -> None:
    service = webhook_service(stack.kafka, namespace, tmp_path)
    acknowledged: set[bytes] = set()
    enough = threading.Event()

    def send(first: int) -> None:
        sender = Sender(int(service.said("port")))
        for number in range(first, first + 100_000):
            try:
                answer = sender.post(_event(number))
            except httpx.TransportError:
                break
            if answer.status_code == 200:
                acknowledged.add(_event(number))
            if len(acknowledged) >= 100:
                enough.set()
        sender.close()

    service.start()
    with ThreadPoolExecutor(8) as threads:
        sending = [threads.submit(send, 100_000 * first) for first in range(8)]
        assert enough.wait(RECOVERY_SECONDS_MAX)
        service.kill()
        for future in sending:
            future.result()

    stored = {record.value for record in read_inbox(stack, namespace)}
    assert len(acknowledged) >= 100
    assert acknowledged <= stored
