"""Where partitions begin and end, asked of the brokers that lead them."""

import time
from collections.abc import Mapping
from typing import Final

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

MOVING_PAUSE_SECONDS: Final = 0.05


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
    deadline = time.monotonic() + seconds_max
    while True:
        answers = admin.list_offsets(
            dict(wanted),
            isolation_level=IsolationLevel.READ_UNCOMMITTED,
            request_timeout=seconds_max,
        )
        try:
            return {
                # A little longer than the request itself, whose own error says more.
                place: int(answer.result(seconds_max + 1).offset)
                for place, answer in answers.items()
            }
        except KafkaException as error:
            if error.args[0].code() not in _MOVING or time.monotonic() >= deadline:
                raise
        time.sleep(MOVING_PAUSE_SECONDS)


# For a moment after a topic was made, and when a broker leaves, the one that is asked does not
# lead the partition. The new leader is asked as soon as Kafka names it.
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
