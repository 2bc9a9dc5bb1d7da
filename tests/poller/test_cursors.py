"""The cursors in real Kafka: what was put is there, newest per key, or the caller is told."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Producer

from producer.errors import KafkaUnreachable
from producer.kafka_cursors import Cursors
from producer.kafka_topics import Topics
from producer.topics import TopicLayout
from schemas.topics import Names
from tests.infrastructure import Infrastructure
from tests.proxy import Line, kafka_proxy

pytestmark = pytest.mark.stack


@pytest.fixture
def topic(stack: Infrastructure, namespace: str) -> str:
    """The topic of the cursors, made as the services make it."""
    names = Names(namespace=namespace)
    layout = TopicLayout(names=names, partitions=1, replication_factor=1)
    Topics(kafka={"bootstrap.servers": stack.kafka}, layout=layout).ensure_streams()
    return names.cursors


@pytest.fixture
def cursors(stack: Infrastructure, topic: str) -> Iterator[Cursors]:
    made = Cursors(kafka={"bootstrap.servers": stack.kafka}, topic=topic)
    yield made
    made.close()


def test_another_process_reads_the_newest_value_of_each_key(
    stack: Infrastructure, topic: str, cursors: Cursors
) -> None:
    cursors.put("poll/-", {"second": 1})
    cursors.put("poll/acct_1", {"second": 7, "ids": ["evt_1"]})
    cursors.put("poll/-", {"second": 2})

    other = Cursors(kafka={"bootstrap.servers": stack.kafka}, topic=topic)

    assert other.read() == {
        "poll/-": {"second": 2},
        "poll/acct_1": {"second": 7, "ids": ["evt_1"]},
    }


def test_no_cursor_was_ever_put(cursors: Cursors) -> None:
    assert cursors.read() == {}


def test_a_cursor_that_an_operator_removed_is_forgotten(
    stack: Infrastructure, topic: str, cursors: Cursors
) -> None:
    cursors.put("poll/-", {"second": 1})
    tool = Producer({"bootstrap.servers": stack.kafka})
    tool.produce(topic, key="poll/-", value=None)
    tool.flush()

    assert cursors.read() == {}


def test_the_end_is_reached_where_the_last_records_are_not_to_be_read(
    stack: Infrastructure, topic: str, cursors: Cursors
) -> None:
    cursors.put("poll/-", {"second": 1})
    tool = Producer({"bootstrap.servers": stack.kafka, "transactional.id": topic})
    tool.init_transactions(30)
    tool.begin_transaction()
    tool.produce(topic, key="poll/-", value=b'{"second": 2}')
    tool.flush()
    tool.abort_transaction(30)
    hasty = Cursors(kafka={"bootstrap.servers": stack.kafka}, topic=topic, answer_seconds_max=5.0)

    assert hasty.read() == {"poll/-": {"second": 1}}


def test_threads_put_their_cursors_side_by_side(cursors: Cursors) -> None:
    keys = [f"backfill/-/invoice/{at}" for at in range(40)]

    with ThreadPoolExecutor(8) as threads:
        for outcome in [threads.submit(cursors.put, key, {"done": key}) for key in keys]:
            outcome.result()

    assert cursors.read() == {key: {"done": key} for key in keys}


def test_a_cursor_that_kafka_does_not_take_is_an_error_and_the_next_one_is_stored(
    stack: Infrastructure, topic: str
) -> None:
    with kafka_proxy(stack.kafka) as line:
        cursors = Cursors(
            kafka={"bootstrap.servers": line.address, "log_level": 0},
            topic=topic,
            answer_seconds_max=1.0,
        )
        line.set(Line.CUT)
        with pytest.raises(KafkaUnreachable):
            cursors.put("poll/-", {"second": 1})
        with pytest.raises(KafkaUnreachable):
            cursors.read()
        line.set(Line.OPEN)
        _put_at_last(cursors, "poll/-", {"second": 2})

        assert cursors.read() == {"poll/-": {"second": 2}}
        cursors.close()


def _put_at_last(cursors: Cursors, key: str, value: dict[str, int]) -> None:
    for _attempt in range(20):
        with contextlib.suppress(KafkaUnreachable):
            cursors.put(key, value)
            return
    raise AssertionError("the line is open, and no cursor was stored")
