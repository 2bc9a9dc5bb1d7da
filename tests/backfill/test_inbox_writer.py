"""The writer for those who can ask again: what was flushed is in Kafka, or the caller is told."""

from collections.abc import Iterator

import pytest

from producer.errors import KafkaUnreachable, RecordTooLarge
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topics import Topics
from producer.topics import INBOX_RECORD_BYTES_MAX, TopicLayout
from schemas.inbox import Envelope, Evidence, Kind, Source
from schemas.topics import Names
from tests.infrastructure import Infrastructure
from tests.producer_webhook.inbox import partition_of, read_inbox
from tests.proxy import Line, kafka_proxy

pytestmark = pytest.mark.stack

PARTITIONS = 3
ENVELOPE = Envelope(
    kind=Kind.SNAPSHOT,
    source=Source.BACKFILL,
    received_at=1,
    observed_second=2,
    evidence=Evidence.LIST,
)


@pytest.fixture
def inbox(stack: Infrastructure, namespace: str) -> str:
    """The inbox, made as the services make it."""
    names = Names(namespace=namespace)
    layout = TopicLayout(names=names, partitions=PARTITIONS, replication_factor=1)
    Topics(kafka={"bootstrap.servers": stack.kafka}, layout=layout).ensure_streams()
    return names.inbox


@pytest.fixture
def writer(stack: Infrastructure, inbox: str) -> Iterator[InboxWriter]:
    made = InboxWriter(kafka={"bootstrap.servers": stack.kafka}, topic=inbox)
    yield made
    made.close()


def test_what_was_flushed_is_there_with_its_envelope_in_the_partition_of_its_key(
    stack: Infrastructure, namespace: str, writer: InboxWriter
) -> None:
    keys = [f"cus_{number}" for number in range(100)]
    for key in keys:
        writer.put(key=key, value=key.encode(), envelope=ENVELOPE)

    writer.flush()

    found = read_inbox(stack, namespace)
    assert sorted(record.key for record in found) == sorted(keys)
    for record in found:
        assert record.value == record.key.encode()
        assert record.partition == partition_of(record.key, partitions=PARTITIONS)
        assert Envelope.from_headers(record.headers) == ENVELOPE


def test_a_record_larger_than_the_inbox_takes_is_refused_and_others_go_on(
    stack: Infrastructure, namespace: str, writer: InboxWriter
) -> None:
    with pytest.raises(RecordTooLarge):
        writer.put(key="in_1", value=b"x" * (INBOX_RECORD_BYTES_MAX + 1), envelope=ENVELOPE)
    writer.put(key="in_2", value=b"small", envelope=ENVELOPE)

    writer.flush()

    assert [record.key for record in read_inbox(stack, namespace)] == ["in_2"]


def test_while_kafka_is_away_a_flush_says_so_and_the_next_one_after_it_counts(
    stack: Infrastructure, namespace: str, inbox: str
) -> None:
    with kafka_proxy(stack.kafka) as proxy:
        writer = InboxWriter(
            kafka={"bootstrap.servers": proxy.address},
            topic=inbox,
            delivery_seconds_max=5.0,
        )
        writer.put(key="a", value=b"before", envelope=ENVELOPE)
        writer.flush()
        proxy.set(Line.CUT)
        writer.put(key="a", value=b"lost", envelope=ENVELOPE)

        with pytest.raises(KafkaUnreachable):
            writer.flush()

        proxy.set(Line.OPEN)
        writer.put(key="a", value=b"after", envelope=ENVELOPE)
        writer.flush()
        writer.close()
    assert [record.value for record in read_inbox(stack, namespace)] == [b"before", b"after"]
