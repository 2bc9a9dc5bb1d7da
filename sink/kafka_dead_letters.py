"""The Kafka topic of dead letters: what could not be written, with its origin and reason."""

from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.dead_letters import DeadLetter
from sink.batch import headers_of, place_of
from sink.errors import DeadLettersAway
from sink.load import Dead

ACKNOWLEDGED_SECONDS_MAX: Final = 10.0
SERVICE: Final = "sink"


class KafkaDeadLetters:
    """Writes dead letters, each of which Kafka has acknowledged when `send` returns.

    Args:
        properties: how the brokers are reached.
        topic: the topic; the producer makes it.
    """

    def __init__(self, properties: Mapping[str, str | int | float | bool], *, topic: str) -> None:
        self._topic = topic
        self._producer = Producer(
            {
                **properties,
                "client.id": "stripeline-sink",
                # Durable before the offset moves past the record.
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": int(ACKNOWLEDGED_SECONDS_MAX * 1_000),
                "allow.auto.create.topics": False,
            }
        )

    def send(self, letters: Sequence[Dead], *, at_micros: int) -> None:
        """Hand dead letters to Kafka and wait until all are acknowledged.

        Raises:
            DeadLettersAway: one was not; sending all again is harmless, each names its origin.
        """
        failed: list[str] = []

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error.name())

        try:
            for letter in letters:
                place = place_of(letter.record)
                headers = DeadLetter(
                    service=SERVICE,
                    topic=place.partition.topic,
                    partition=place.partition.number,
                    offset=place.offset,
                    reason=letter.reason,
                    at=at_micros,
                    stack=letter.stack,
                ).headers(headers_of(letter.record))
                self._producer.produce(
                    self._topic,
                    key=letter.record.key(),
                    value=letter.record.value(),
                    headers=[*headers],
                    on_delivery=on_delivery,
                )
            waiting = self._producer.flush(ACKNOWLEDGED_SECONDS_MAX * 2)
        except (KafkaException, BufferError) as error:
            raise DeadLettersAway(f"{self._topic} takes no dead letters: {error}") from error
        if failed or waiting:
            raise DeadLettersAway(
                f"{self._topic} acknowledged no dead letter within "
                f"{ACKNOWLEDGED_SECONDS_MAX:.0f} s ({', '.join(sorted({*failed})) or 'silent'}). "
                "Does the topic exist? `stripeline producer topics` makes it."
            )
