"""Reads the dead letters of a namespace."""

from confluent_kafka import Consumer, TopicPartition

from schemas.dead_letters import DeadLetter
from tests.relay.installation import REQUEST_SECONDS_MAX, Installation


def read_dead_letters(installation: Installation) -> list[tuple[DeadLetter, bytes]]:
    """Each letter with the original bytes."""
    consumer = Consumer(
        {
            "bootstrap.servers": installation.infrastructure.kafka,
            "group.id": "nobody",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        consumer.assign([TopicPartition(installation.names.dead_letters, 0, 0)])
        found: list[tuple[DeadLetter, bytes]] = []
        while True:
            message = consumer.poll(REQUEST_SECONDS_MAX)
            assert message is not None, "the end of the dead letters was not reached"
            if message.error() is not None:
                return found
            headers = message.headers() or []
            assert isinstance(headers, list)
            found.append((DeadLetter.from_headers(headers), message.value() or b""))
    finally:
        consumer.close()
