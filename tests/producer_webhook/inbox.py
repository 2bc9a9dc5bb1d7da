"""Reads an inbox as any Kafka client would, to its high watermark."""

from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from tests.infrastructure import Infrastructure

REQUEST_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One record of an inbox."""

    key: str
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int


def read_inbox(infrastructure: Infrastructure, namespace: str) -> list[Stored]:
    """Every record of the inbox, in order per partition, up to each high watermark."""
    reader = InboxReader(infrastructure, namespace)
    try:
        return reader.read()
    finally:
        reader.close()


class InboxReader:
    """A consumer that reads one inbox from its beginning, as often as it is asked."""

    def __init__(self, infrastructure: Infrastructure, namespace: str) -> None:
        self._topic = f"{namespace}-inbox"
        self._consumer = Consumer(
            {
                "bootstrap.servers": infrastructure.kafka,
                "group.id": f"{namespace}-test",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # The end of a partition is its high watermark, and is told once it is reached.
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )

    def read(self) -> list[Stored]:
        """Every record, in order per partition, up to each high watermark."""
        metadata = self._consumer.list_topics(self._topic, timeout=REQUEST_SECONDS_MAX)
        partitions = metadata.topics[self._topic].partitions
        assert partitions, "there is no inbox"
        self._consumer.assign([TopicPartition(self._topic, at, 0) for at in partitions])
        ended: set[int] = set()
        found: list[Stored] = []
        while len(ended) < len(partitions):
            message = self._consumer.poll(REQUEST_SECONDS_MAX)
            assert message is not None, "the inbox's end was not reached"
            error = message.error()
            if error is None:
                found.append(_stored(message))
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(_known(message.partition()))
        self._consumer.unassign()
        return sorted(found, key=lambda record: record.partition)

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


def _stored(message: Message) -> Stored:
    headers = message.headers() or ()
    return Stored(
        key=_known(message.key()).decode(),
        value=_known(message.value()),
        headers=[(name, data) for name, data in dict(headers).items() if isinstance(data, bytes)],
        partition=_known(message.partition()),
    )


Known = TypeVar("Known")


def _known(value: Known | None) -> Known:
    assert value is not None
    return value


def partition_of(key: str, *, partitions: int) -> int:
    """Where the Java clients put a key: murmur2, made positive, modulo the partitions."""
    data = key.encode()
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    state = (0x9747B28C ^ len(data)) & mask
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * multiplier & mask
        word = (word ^ (word >> 24)) * multiplier & mask
        state = (state * multiplier & mask) ^ word
    rest = data[whole:]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * multiplier & mask
    state = (state ^ (state >> 13)) * multiplier & mask
    state ^= state >> 15
    return (state & 0x7FFFFFFF) % partitions
