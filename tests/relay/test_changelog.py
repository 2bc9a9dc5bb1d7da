"""Single records read back by their place, near to each other and far apart."""

import pytest
from confluent_kafka import Producer

from producer import kafka_changelog
from producer.kafka_changelog import Changelog
from producer.kafka_topics import Topics
from producer.topics import TopicLayout
from schemas.topics import Names
from tests.infrastructure import Infrastructure

pytestmark = pytest.mark.stack

RECORDS = 40


@pytest.fixture
def changelog(stack: Infrastructure, namespace: str) -> Changelog:
    """Of an object topic with some records."""
    names = Names(namespace=namespace)
    kafka: dict[str, str | int | float | bool] = {"bootstrap.servers": stack.kafka}
    layout = TopicLayout(names=names, partitions=1, replication_factor=1)
    Topics(kafka=kafka, layout=layout).ensure_objects(["coupon"])
    producer = Producer(kafka)
    for number in range(RECORDS):
        producer.produce(names.object_topic("coupon"), str(number), str(number))
    assert producer.flush(30) == 0
    return Changelog(kafka=kafka, pattern=names.object_topic_pattern, group="looking-back")


@pytest.mark.parametrize("read_on", [0, 3, 1_000])
def test_records_are_found_by_their_places_in_any_order(
    changelog: Changelog, namespace: str, monkeypatch: pytest.MonkeyPatch, read_on: int
) -> None:
    monkeypatch.setattr(kafka_changelog, "READ_ON_RECORDS_MAX", read_on)
    topic = Names(namespace=namespace).object_topic("coupon")
    found = changelog.records_at(topic, 0, [30, 0, 2, 1, RECORDS + 5, 39])
    assert {place: record.key for place, record in found.items()} == {
        place: str(place).encode() for place in (0, 1, 2, 30, 39)
    }
