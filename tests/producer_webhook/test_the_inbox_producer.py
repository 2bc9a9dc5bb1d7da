"""The inbox's producer by itself: a producer that broke is replaced, and says so to who waits."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import KafkaError

from producer.errors import InboxFull, NotAcknowledged
from producer.kafka_inbox import Inbox
from producer.kafka_topics import Topics
from producer.topics import TopicLayout
from runtime.clock import SystemClock
from schemas.topics import Names
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.producer_webhook.inbox import read_inbox
from tests.proxy import Line, kafka_proxy

Hold = Callable[[Line], None]
FLUSH_SECONDS_MAX = 20.0
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def namespace(stack: Infrastructure) -> Iterator[str]:
    """With its topics."""
    with fresh_namespace(stack) as name:
        layout = TopicLayout(names=Names(namespace=name), partitions=1, replication_factor=1)
        Topics(kafka={"bootstrap.servers": stack.kafka}, layout=layout).ensure_streams()
        yield name


def _inbox(
    kafka: str, namespace: str, *, seconds_max: float = 30.0, events_max: int = 10
) -> Inbox:
    return Inbox(
        kafka={"bootstrap.servers": kafka},
        topic=Names(namespace=namespace).inbox,
        clock=SystemClock(),
        queue_events_max=events_max,
        acknowledge_seconds_max=seconds_max,
    )


@pytest.mark.stack
def test_a_broken_producer_fails_what_waits_and_is_replaced(
    stack: Infrastructure, namespace: str
) -> None:
    async def scene(kafka: str, hold: Hold) -> None:
        inbox = _inbox(kafka, namespace)
        await inbox.put(key="a", value=b"before", headers=[])
        hold(Line.HELD)
        waiting = inbox.put(key="a", value=b"lost", headers=[])

        # librdkafka calls this when it can send no more; no broker can be made to cause it.
        inbox._on_error(KafkaError(KafkaError._FATAL, "it broke", fatal=True))

        with pytest.raises(NotAcknowledged, match="the producer broke"):
            await waiting
        hold(Line.OPEN)
        await inbox.put(key="a", value=b"after", headers=[])
        assert inbox.close(seconds_max=FLUSH_SECONDS_MAX) == 0

    with kafka_proxy(stack.kafka) as proxy:
        asyncio.run(scene(proxy.address, proxy.set))

    values = [record.value for record in read_inbox(stack, namespace)]
    assert values[0] == b"before"
    assert values[-1] == b"after"


@pytest.mark.stack
def test_what_outlived_its_deadline_makes_room_again(
    stack: Infrastructure, namespace: str
) -> None:
    async def scene(kafka: str, hold: Hold) -> None:
        inbox = _inbox(kafka, namespace, seconds_max=3, events_max=2)
        await inbox.put(key="a", value=b"first", headers=[])
        hold(Line.HELD)
        waiting = [inbox.put(key="a", value=b"late", headers=[]) for _ in range(2)]
        with pytest.raises(InboxFull):
            inbox.put(key="a", value=b"too many", headers=[])
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, NotAcknowledged)
        hold(Line.OPEN)
        while inbox.queued:
            inbox.poll()
            await asyncio.sleep(0.01)
        await inbox.put(key="a", value=b"last", headers=[])
        inbox.close(seconds_max=FLUSH_SECONDS_MAX)

    with kafka_proxy(stack.kafka) as proxy:
        asyncio.run(scene(proxy.address, proxy.set))

    values = [record.value for record in read_inbox(stack, namespace)]
    assert (values[0], values[-1]) == (b"first", b"last")
    assert b"too many" not in values


def test_without_kafka_a_stop_says_how_many_events_it_gives_up() -> None:
    async def scene() -> int:
        inbox = _inbox(NOWHERE, "nowhere")
        for _ in range(3):
            inbox.put(key="a", value=b"", headers=[]).cancel()
        return inbox.close(seconds_max=0.01)

    assert asyncio.run(scene()) == 3
