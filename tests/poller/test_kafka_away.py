"""While Kafka is away nothing counts as written, and the cursor stays where the inbox is."""

import contextlib
from collections.abc import Iterator

import pytest

from producer.errors import KafkaUnreachable
from producer.event_list import EventList
from producer.kafka_cursors import Cursors
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topics import Topics
from producer.poll_cursor import poll_cursors
from producer.poller import Poller
from producer.routing import Router
from producer.topics import TopicLayout
from runtime.clock import SystemClock
from runtime.metrics import Meters
from schemas.objects import load_catalogue
from schemas.topics import Names
from tests.infrastructure import Infrastructure
from tests.poller.listed_events import NOW, ListedEvents, number_of
from tests.producer_webhook.inbox import read_inbox
from tests.proxy import Line, Proxy, kafka_proxy

pytestmark = pytest.mark.stack

ANSWER_SECONDS_MAX = 1.5
ATTEMPTS_MAX = 20


@pytest.fixture
def line(stack: Infrastructure, namespace: str) -> Iterator[Proxy]:
    """The way to a Kafka whose topics are made."""
    layout = TopicLayout(names=Names(namespace=namespace), partitions=1, replication_factor=1)
    Topics(kafka={"bootstrap.servers": stack.kafka}, layout=layout).ensure_streams()
    with kafka_proxy(stack.kafka) as line:
        yield line


def test_what_came_while_kafka_was_away_is_written_afterwards(
    stack: Infrastructure, namespace: str, line: Proxy
) -> None:
    listed, names = ListedEvents(), Names(namespace=namespace)
    kafka: dict[str, str | int | float | bool] = {
        "bootstrap.servers": line.address,
        "log_level": 0,
    }
    poller = Poller(
        events=EventList(api=listed, may_go_on=lambda: True),
        accounts=lambda: ("",),
        writer=InboxWriter(
            kafka=kafka, topic=names.inbox, delivery_seconds_max=ANSWER_SECONDS_MAX
        ),
        cursors=Cursors(kafka=kafka, topic=names.cursors, answer_seconds_max=ANSWER_SECONDS_MAX),
        router=Router(catalogue=load_catalogue()),
        livemode=None,
        overlap_seconds=600,
        backfill=lambda _account_id: None,
        clock=SystemClock(),
        meters=Meters(),
    )
    poller.poll()
    line.set(Line.CUT)
    for number in range(5):
        listed.add(number, second=NOW + number)
    listed.now = NOW + 100
    with pytest.raises(KafkaUnreachable):
        poller.poll()
    stored = Cursors(kafka={"bootstrap.servers": stack.kafka}, topic=names.cursors)
    assert poll_cursors(stored.read())[""].second == NOW

    line.set(Line.OPEN)
    _poll_at_last(poller)

    there = [number_of(record.value) for record in read_inbox(stack, namespace)]
    assert set(there) == set(range(5))
    assert poll_cursors(stored.read())[""].second == NOW + 100


def _poll_at_last(poller: Poller) -> None:
    for _attempt in range(ATTEMPTS_MAX):
        with contextlib.suppress(KafkaUnreachable):
            poller.poll()
            return
    raise AssertionError("the line is open, and nothing was written")
