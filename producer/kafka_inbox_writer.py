"""Writes to the inbox for whoever can ask Stripe again: many records at once, one wait for all."""

import logging
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer.errors import KafkaUnreachable, RecordTooLarge
from producer.topics import INBOX_RECORD_BYTES_MAX
from schemas.inbox import Envelope

DELIVERY_SECONDS_MAX: Final = 30.0
FLUSH_MARGIN_SECONDS: Final = 10.0
"""What a flush waits beyond the longest delivery, so that each record's end has been told."""
ROOM_POLL_SECONDS: Final = 0.1
QUEUE_RECORDS_MAX: Final = 50_000
QUEUE_KIBIBYTES_MAX: Final = 64 * 1_024


class InboxWriter:
    """An idempotent producer of one topic, for use from one thread.

    **Invariant:** what was put counts only after the `flush` that follows has returned. Whoever
    puts it remembers where it stood at the last flush, and begins there again.
    """

    def __init__(
        self,
        *,
        kafka: Mapping[str, str | int | float | bool],
        topic: str,
        delivery_seconds_max: float = DELIVERY_SECONDS_MAX,
    ) -> None:
        """Make the producer; it connects by itself, and again after an outage.

        Args:
            kafka: the librdkafka properties that say how the brokers are reached.
            topic: the inbox; it must exist, or the broker may make one with its own defaults.
            delivery_seconds_max: how long an outage of Kafka may last without failing a record.
        """
        self._properties = {**kafka, **_properties(delivery_seconds_max)}
        self._topic = topic
        self._delivery_seconds_max = delivery_seconds_max
        self._lost = ""
        self._producer = self._made()

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        """Hand one record over; waits where the queue is full.

        Raises:
            RecordTooLarge: the inbox does not take a record of this size.
        """
        headers: list[tuple[str, str | bytes | None]] = [*envelope.headers()]
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, headers=headers, on_delivery=self._settle
                )
            except BufferError:
                # A record that cannot be delivered leaves the queue when its time is up.
                self._producer.poll(ROOM_POLL_SECONDS)
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    raise RecordTooLarge(f"An object of {len(value)} bytes.") from error
                self._lost = error.args[0].name()
                return
            else:
                return

    def flush(self) -> None:
        """Return when Kafka has every record put so far.

        Raises:
            KafkaUnreachable: it has not; nothing that was put since the last flush counts.
        """
        left = self._producer.flush(self._delivery_seconds_max + FLUSH_MARGIN_SECONDS)
        lost, self._lost = self._lost, ""
        if not left and not lost:
            return
        # What the producer still holds must not arrive at its own time any more.
        self._producer.purge()
        self._producer = self._made()
        raise KafkaUnreachable(
            f"Kafka did not take what was written to {self._topic} ({lost or 'no answer'}). "
            "Check that it runs and that KAFKA_BOOTSTRAP_SERVERS names it, for example "
            "KAFKA_BOOTSTRAP_SERVERS=localhost:9092."
        )

    def close(self) -> None:
        """Let the connection go; what was not flushed is lost."""
        self._producer.purge()
        self._producer.flush(0)

    def _made(self) -> Producer:
        return Producer(self._properties, logger=logging.getLogger("kafka"))

    def _settle(self, error: KafkaError | None, _record: Message) -> None:
        """What librdkafka calls for a record that is lost, from within `poll` and `flush`."""
        if error is not None:
            self._lost = error.name()


def _properties(delivery_seconds_max: float) -> dict[str, str | int | float | bool]:
    return {
        # Acknowledged means durable: every replica in sync has it, exactly once.
        "acks": "all",
        "enable.idempotence": True,
        # As the Java clients do, so that a key's partition is the same for everyone.
        "partitioner": "murmur2_random",
        # Only the flush is waited for, so that batches may grow.
        "linger.ms": 20,
        "compression.type": "snappy",
        "message.max.bytes": INBOX_RECORD_BYTES_MAX,
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": QUEUE_KIBIBYTES_MAX,
        "message.timeout.ms": int(delivery_seconds_max * 1_000),
        # What arrives is known by the queue's getting empty.
        "delivery.report.only.error": True,
        "reconnect.backoff.max.ms": 1_000,
        "socket.keepalive.enable": True,
    }
