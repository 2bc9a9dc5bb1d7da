"""Offsets asked of Kafka, in the moment in which a partition's leader is not known, too."""

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from runtime.kafka_offsets import EARLIEST, LATEST, listed_offsets
from tests.infrastructure import Infrastructure

pytestmark = pytest.mark.stack

ANSWER_SECONDS = 30.0


class LeaderMoves:
    """Kafka's admin, whose first questions for offsets go to a broker that does not lead."""

    def __init__(self, admin: AdminClient, *, times: int, code: int) -> None:
        self._admin = admin
        self._left = times
        self._code = code

    def list_offsets(self, places: dict[TopicPartition, OffsetSpec], **given: Any) -> Any:
        if self._left == 0:
            return self._admin.list_offsets(places, **given)
        self._left -= 1
        refused: Future[Any] = Future()
        refused.set_exception(KafkaException(KafkaError(self._code)))
        return dict.fromkeys(places, refused)


@pytest.fixture
def admin(stack: Infrastructure) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.kafka})


@pytest.fixture
def partitions(stack: Infrastructure, admin: AdminClient, namespace: str) -> list[TopicPartition]:
    """Two, the second with three records."""
    name = f"{namespace}.customer"
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(ANSWER_SECONDS)
    producer = Producer({"bootstrap.servers": stack.kafka})
    for number in range(3):
        producer.produce(name, str(number), partition=1)
    assert producer.flush(ANSWER_SECONDS) == 0
    return [TopicPartition(name, 0), TopicPartition(name, 1)]


def asked(
    admin: Any,
    partitions: list[TopicPartition],
    which: OffsetSpec,
    *,
    seconds_max: float = ANSWER_SECONDS,
) -> dict[int, int]:
    found = listed_offsets(admin, dict.fromkeys(partitions, which), seconds_max=seconds_max)
    return {place.partition: offset for place, offset in found.items()}


def test_offsets_are_told_of_each_partition(
    admin: AdminClient, partitions: list[TopicPartition]
) -> None:
    assert asked(admin, partitions, EARLIEST) == {0: 0, 1: 0}
    assert asked(admin, partitions, LATEST) == {0: 0, 1: 3}
    assert asked(admin, [], LATEST) == {}


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    ],
)
def test_they_are_asked_for_again_while_a_leader_is_found(
    admin: AdminClient, partitions: list[TopicPartition], code: int
) -> None:
    moving = LeaderMoves(admin, times=3, code=code)
    assert asked(moving, partitions, LATEST) == {0: 0, 1: 3}


def test_they_are_not_asked_for_again_where_that_cannot_help(
    admin: AdminClient, partitions: list[TopicPartition]
) -> None:
    refusing = LeaderMoves(admin, times=1, code=KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException) as refused:
        asked(refusing, partitions, LATEST)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    moving = LeaderMoves(admin, times=1_000_000, code=KafkaError.NOT_LEADER_FOR_PARTITION)
    with pytest.raises(KafkaException) as never_found:
        asked(moving, partitions, LATEST, seconds_max=0.1)
    assert never_found.value.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
