"""Where partitions begin and end, asked of the brokers that lead them."""

import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

MOVING_PAUSE_SECONDS: Final = 0.05

Answer = TypeVar("Answer")


def listed_offsets(
    admin: AdminClient, wanted: Mapping[TopicPartition, OffsetSpec], *, seconds_max: float
) -> dict[TopicPartition, int]:
    """The offset asked for of each partition; below 0 where there is none.

    What a transaction that is still open has written counts: its outcome matters.

    Args:
        admin: of the cluster.
        wanted: partitions, and which of their offsets.
        seconds_max: how long an answer may take.

    Raises:
        KafkaException: refused; while a leader is found it is asked again, up to that time.
        TimeoutError: no answer in time.
    """
    if not wanted:
        return {}

    def ask() -> dict[TopicPartition, int]:
        answers = admin.list_offsets(
            dict(wanted),
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=seconds_max,
        )
        return {
            # A little longer than the request itself, whose own error says more.
            place: int(answer.result(seconds_max + 1).offset)
            for place, answer in answers.items()
        }

    return asked_of_leaders(ask, seconds_max=seconds_max)


def asked_of_leaders(ask: Callable[[], Answer], *, seconds_max: float) -> Answer:
    """What `ask` gives, asked again while a partition's leader is found.

    For a moment after a topic was made, and when a broker leaves, the one that is asked does not
    lead the partition. The new leader is asked as soon as Kafka names it.

    Raises:
        KafkaException: of another kind, or of this one still after that time.
    """
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return ask()
        except KafkaException as error:
            if error.args[0].code() not in _MOVING or time.monotonic() >= deadline:
                raise
        time.sleep(MOVING_PAUSE_SECONDS)


_MOVING: Final = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


def _offset_specification(name: str) -> OffsetSpec:
    # The library has no types for its two named specifications.
    found: OffsetSpec = getattr(OffsetSpec, name)()
    return found


EARLIEST: Final = _offset_specification("earliest")
LATEST: Final = _offset_specification("latest")
