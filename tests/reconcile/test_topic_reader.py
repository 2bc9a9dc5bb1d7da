"""A topic read side by side and read on, with transactions that leave gaps in its offsets."""

import time

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from producer.kafka_topic_reader import TopicReader
from tests.infrastructure import Infrastructure

pytestmark = pytest.mark.stack

FIRST_MILLISECONDS = (int(time.time()) - 3_600) * 1_000
"""Not long ago: Kafka lets go of what is older than a week."""
ANSWER_SECONDS = 30.0


@pytest.fixture
def topic(stack: Infrastructure, namespace: str) -> str:
    """A topic of two partitions."""
    name = f"{namespace}.customer"
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(ANSWER_SECONDS)
    return name


@pytest.fixture
def reader(stack: Infrastructure) -> TopicReader:
    return TopicReader(kafka={"bootstrap.servers": stack.kafka}, group="nobody")


class Writer:
    """Writes records in transactions, as a relay does."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": kafka, "transactional.id": topic})
        self._producer.init_transactions(ANSWER_SECONDS)

    def write(self, *keys: str, partition: int, second: int = 0, commits: bool = True) -> None:
        """Write records in one transaction; their time is this second."""
        self._producer.begin_transaction()
        for key in keys:
            self._producer.produce(
                self._topic,
                b"value",
                key,
                partition,
                timestamp=FIRST_MILLISECONDS + second * 1_000,
            )
        if commits:
            self._producer.commit_transaction(ANSWER_SECONDS)
        else:
            self._producer.flush(ANSWER_SECONDS)
            self._producer.abort_transaction(ANSWER_SECONDS)


@pytest.fixture
def writer(stack: Infrastructure, topic: str) -> Writer:
    return Writer(stack.kafka, topic)


def read(
    reader: TopicReader, topic: str, start: dict[int, int] | None = None
) -> tuple[list[tuple[int, str]], dict[int, int]]:
    """What is read, as partitions and keys, and where it ended."""
    ends = reader.ends(topic)
    start = start or dict.fromkeys(ends, 0)
    behind = {one: at for one, at in start.items() if at < ends[one].high_watermark}
    found, reached = [], dict(start)
    for records, moved in reader.read(topic, start=behind, ends=ends):
        found += [(partition, record.key.decode()) for partition, record in records]
        reached |= moved
    return sorted(found), reached


def test_all_partitions_are_read_to_their_ends_and_then_read_on(
    reader: TopicReader, writer: Writer, topic: str
) -> None:
    writer.write("a", "b", partition=0)
    writer.write("c", partition=1)
    writer.write("never", partition=1, commits=False)
    found, reached = read(reader, topic)
    assert found == [(0, "a"), (0, "b"), (1, "c")]
    assert read(reader, topic, reached) == ([], reached)
    writer.write("d", partition=0)
    assert read(reader, topic, reached)[0] == [(0, "d")]
    assert read(reader, topic, {0: 0, 1: reached[1]})[0] == [(0, "a"), (0, "b"), (0, "d")]


def test_a_topic_that_is_empty_or_not_there_is_read_at_once(
    reader: TopicReader, topic: str
) -> None:
    assert reader.ends(topic) == {}
    assert reader.ends(f"{topic}_not_there") == {}
    assert reader.offsets_at(topic, milliseconds=FIRST_MILLISECONDS) == {}


def test_a_time_is_found_by_the_records_own(
    reader: TopicReader, writer: Writer, topic: str
) -> None:
    writer.write("a", partition=0, second=1)
    writer.write("b", partition=0, second=20)
    writer.write("c", partition=1, second=1)
    start = reader.offsets_at(topic, milliseconds=FIRST_MILLISECONDS + 10_000)
    assert read(reader, topic, start)[0] == [(0, "b")]
