"""The relay's transactions: everything a batch publishes and the offsets it read, or nothing."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from producer.errors import KafkaUnreachable, NotCommitted, UnknownOutcome
from producer.topics import DEAD_LETTER_RECORD_BYTES_MAX
from runtime import logs
from runtime.clock import Clock

TRANSACTION_SECONDS_MAX: Final = 10.0
"""A transaction that a dead relay left open holds its successor back for no longer."""
CALL_SECONDS_MAX: Final = 8.0
ABORT_SECONDS_MAX: Final = 4.0
QUEUE_RECORDS_MAX: Final = 100_000
RETRY_PAUSE_SECONDS: Final = 0.05


class TransactionalProducer:
    """A producer of one transactional id; of two with the same id the older one is fenced.

    Any error but `NotCommitted` ends its life: make a new one, whose `start` settles what became
    of the last transaction.
    """

    def __init__(
        self,
        *,
        kafka: Mapping[str, str | int | float | bool],
        transactional_id: str,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._producer = Producer(
            {**kafka, **producer_properties(transactional_id)}, logger=logging.getLogger("kafka")
        )

    def start(self) -> None:
        """Fence the predecessor, and end what it left open.

        Raises:
            KafkaUnreachable: no answer; make a new one and try again.
        """
        try:
            self._producer.init_transactions(CALL_SECONDS_MAX)
        except KafkaException as error:
            raise KafkaUnreachable(
                f"Kafka does not let the relay begin its transactions: {error.args[0].name()}"
            ) from error

    def begin(self) -> None:
        """Begin a transaction."""
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise UnknownOutcome(error.args[0].name()) from error

    def put(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes,
        headers: list[tuple[str, bytes | None]] | list[tuple[str, bytes]],
        timestamp_milliseconds: int = 0,
        on_offset: Callable[[int], None] | None = None,
    ) -> None:
        """Hand over one record of the transaction; positional, since it is called most.

        Args:
            topic: where to.
            partition: -1 leaves the choice to the partitioner.
            key: the record's.
            value: the record's.
            headers: the record's.
            timestamp_milliseconds: 0 is now.
            on_offset: called with the record's offset when it is delivered.

        Raises:
            UnknownOutcome: it is not taken.
        """
        while True:
            try:
                self._producer.produce(
                    topic,
                    value,
                    key,
                    partition,
                    timestamp=timestamp_milliseconds,
                    headers=[*headers],
                    on_delivery=None if on_offset is None else self._on_delivery(on_offset),
                )
            except BufferError:
                self._producer.poll(RETRY_PAUSE_SECONDS)
            except KafkaException as error:
                raise UnknownOutcome(error.args[0].name()) from error
            else:
                return

    def commit(self, topic: str, next_offsets: Mapping[int, int], group_metadata: Any) -> None:
        """End the transaction: all it holds is published, and the offsets are committed with it.

        Args:
            topic: whose offsets.
            next_offsets: partition -> offset of the next record to read.
            group_metadata: the consumer's; Kafka refuses offsets of a relay that has lost its
                partitions.

        Raises:
            NotCommitted: nothing was published; the producer can go on.
            UnknownOutcome: throw the producer away.
        """
        offsets = [
            TopicPartition(topic, partition, offset) for partition, offset in next_offsets.items()
        ]
        deadline = self._clock.monotonic_seconds() + CALL_SECONDS_MAX
        if offsets:
            self._insist(
                lambda seconds: self._producer.send_offsets_to_transaction(
                    offsets, group_metadata, seconds
                ),
                deadline=deadline,
            )
        self._insist(self._producer.commit_transaction, deadline=deadline)

    def abort(self) -> None:
        """End the transaction; nothing it holds is published.

        Raises:
            UnknownOutcome: throw the producer away.
        """
        try:
            self._producer.abort_transaction(ABORT_SECONDS_MAX)
        except KafkaException as error:
            raise UnknownOutcome(error.args[0].name()) from error

    def discard(self) -> None:
        """Throw it away without a word to Kafka."""
        try:
            self._producer.purge()
        except KafkaException as error:
            logs.logger("relay").info("purge failed", error=error.args[0].name())

    def _insist(self, call: Callable[[float], None], *, deadline: float) -> None:
        """Call again while that is what Kafka asks for, until the deadline."""
        while (left := deadline - self._clock.monotonic_seconds()) > 0:
            try:
                call(left)
            except KafkaException as failure:
                error: KafkaError = failure.args[0]
                if error.txn_requires_abort():
                    self.abort()
                    raise NotCommitted(error.name()) from failure
                if error.fatal() or not error.retriable():
                    raise UnknownOutcome(error.name()) from failure
                time.sleep(RETRY_PAUSE_SECONDS)
            else:
                return
        raise UnknownOutcome("no_answer_in_time")

    def _on_delivery(
        self, on_offset: Callable[[int], None]
    ) -> Callable[[KafkaError | None, Message], None]:
        def report(error: KafkaError | None, message: Message) -> None:
            # A record that is not delivered makes the commit fail; nothing to do here.
            offset = message.offset()
            if error is None and offset is not None:
                on_offset(offset)

        return report


def producer_properties(transactional_id: str) -> dict[str, str | int | float | bool]:
    """How the relay produces; the benchmark beside it does the same."""
    milliseconds = int(TRANSACTION_SECONDS_MAX * 1_000)
    return {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": milliseconds,
        # Implied by the transactional id, spelled out because everything rests on them.
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        # No record may outlive its transaction.
        "message.timeout.ms": milliseconds,
        "request.timeout.ms": 5_000,
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 1_000,
        # The commit sends what is there at once; while a batch is handed over, gather.
        "linger.ms": 5,
        "batch.size": 1_000_000,
        "compression.type": "lz4",
        "message.max.bytes": DEAD_LETTER_RECORD_BYTES_MAX,
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": 1_048_576,
    }
