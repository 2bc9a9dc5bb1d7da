"""The topic of dead letters, read whole, and what is written when a person settles one."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from schemas.dead_letters import Settled
from schemas.topics import Names
from sink.batch import bytes_of, headers_of
from sink.dead_letters.letters import Letter, Stored, open_letters
from sink.errors import KafkaAway
from sink.kafka_ranges import TopicReader

ACKNOWLEDGED_SECONDS_MAX: Final = 10.0


class Letters:
    """Reads dead letters, sends them back where they came from, and settles them.

    Args:
        properties: how the brokers are reached.
        names: the installation's topics.
    """

    def __init__(
        self, properties: Mapping[str, str | int | float | bool], *, names: Names
    ) -> None:
        self._names = names
        self._reader = TopicReader(properties, names=names)
        self._producer = Producer(
            {
                **properties,
                "client.id": "stripeline-dead-letters",
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": int(ACKNOWLEDGED_SECONDS_MAX * 1_000),
                "allow.auto.create.topics": False,
            }
        )

    def open(self) -> list[Letter]:
        """All letters that are not settled.

        Raises:
            KafkaAway: the topic could not be read to its end.
        """
        topic = self._names.dead_letters
        extent = self._reader.extent(topic)
        if extent is None:
            return []
        stored = [
            Stored(
                key=bytes_of(record.key()),
                value=bytes_of(record.value()),
                headers=headers_of(record),
            )
            for stretch in self._reader.read(topic, starts=extent.starts, ends=extent.ends)
            for record in stretch.records
        ]
        return open_letters(stored)

    def send_back(self, letter: Letter) -> None:
        """Put the record once more at the end of the topic that it came from, by its key.

        Raises:
            KafkaAway: it is not known whether it is there; sending it again is harmless.
        """
        self._send(letter.origin.topic, letter.key, letter.value, list(letter.headers))

    def settle(self, letter: Letter, settled: Settled) -> None:
        """Say that a letter is done with; it is listed no more.

        Raises:
            KafkaAway: it may be listed again.
        """
        headers = letter.origin.settled_headers(settled)
        self._send(self._names.dead_letters, letter.key, None, headers)

    def _send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
    ) -> None:
        failed: list[str] = []

        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                failed.append(error.name())

        try:
            self._producer.produce(
                topic, key=key, value=value, headers=[*headers], on_delivery=on_delivery
            )
            waiting = self._producer.flush(ACKNOWLEDGED_SECONDS_MAX * 2)
        except (KafkaException, BufferError) as error:
            raise KafkaAway(f"{topic} takes no record: {error}") from error
        if failed or waiting:
            raise KafkaAway(f"{topic} acknowledged nothing ({', '.join(failed) or 'silent'}).")
