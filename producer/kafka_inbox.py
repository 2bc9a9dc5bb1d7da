"""Writes events to the inbox and says when Kafka holds them, without a thread of its own.

librdkafka reports deliveries when it is polled. The event loop polls it, without waiting, each
millisecond while events are outstanding: a thread that polls would take the interpreter's lock
away from the loop once for each event (docs/decisions/0050-webhook-server.md has the figures).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer.errors import InboxFull, NotAcknowledged
from producer.topics import INBOX_RECORD_BYTES_MAX
from runtime import logs
from runtime.clock import Clock

POLL_SECONDS = 0.001
FIRST_POLL_SECONDS = 0.002
"""Linger, way and disk: no broker acknowledges sooner."""
QUEUE_KIBIBYTES_MAX = 512 * 1_024
LINGER_MILLISECONDS = 0.5


class Inbox:
    """An idempotent producer of one topic, for use from one event loop.

    **Invariant:** `put` succeeds only after every replica in sync has the record. A record whose
    deadline passed may still be stored later; whoever sent it sends it again, and the relay
    drops the second one.
    """

    def __init__(
        self,
        *,
        kafka: Mapping[str, str | int | float | bool],
        topic: str,
        clock: Clock,
        queue_events_max: int,
        acknowledge_seconds_max: float,
    ) -> None:
        """Make the producer; it connects by itself, and again after an outage.

        Args:
            kafka: the librdkafka properties that say how the brokers are reached.
            topic: the inbox; it must exist, or the broker may make one with its own defaults.
            clock: monotonic, for the deadlines.
            queue_events_max: events that may be outstanding.
            acknowledge_seconds_max: how long `put` may take.
        """
        self._properties = {
            **kafka,
            **_properties(
                queue_events_max=queue_events_max, acknowledge_seconds_max=acknowledge_seconds_max
            ),
        }
        self._topic = topic
        self._clock = clock
        self._acknowledge_seconds_max = acknowledge_seconds_max
        self._outstanding: deque[_Outstanding] = deque()
        self._polling = False
        self._broken = False
        self._producer = self._made()

    @property
    def queued(self) -> int:
        """How many events wait for Kafka, those whose deadline has passed included."""
        return len(self._producer)

    def put(
        self, *, key: str, value: bytes, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[None]":
        """Hand one record over; the future is done when it is durable.

        Returns:
            a future that raises `NotAcknowledged` when Kafka refuses the record or the deadline
            passes.

        Raises:
            InboxFull: too many events or bytes are outstanding.
            NotAcknowledged: librdkafka does not take the record.
        """
        loop = asyncio.get_running_loop()
        record = _Outstanding(
            stored=loop.create_future(),
            deadline=self._clock.monotonic_seconds() + self._acknowledge_seconds_max,
        )
        try:
            self._producer.produce(
                self._topic, value, key, headers=[*headers], on_delivery=record.settle
            )
        except BufferError:
            self._poll_soon(loop)
            raise InboxFull("too many events wait for Kafka") from None
        except KafkaException as error:
            raise NotAcknowledged(error.args[0].name()) from None
        self._outstanding.append(record)
        self._poll_soon(loop)
        return record.stored

    def poll(self) -> None:
        """Take up what librdkafka has to say; never waits. Call it now and then when idle."""
        self._producer.poll(0)
        if self._broken:
            self._renew()
        now = self._clock.monotonic_seconds()
        outstanding = self._outstanding
        # All have the same time to go, so the oldest is the first to run out of it.
        while outstanding and outstanding[0].finished(now):
            outstanding.popleft()

    def close(self, *, seconds_max: float) -> int:
        """Wait until Kafka has all; blocks, so call it when the loop has nothing left to do.

        Returns:
            how many events it does not have, none of which was acknowledged to anyone.
        """
        left: int = self._producer.flush(seconds_max)
        return left

    def _poll_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._polling:
            self._polling = True
            loop.call_later(FIRST_POLL_SECONDS, self._poll_again, loop)

    def _poll_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self.poll()
        if self._outstanding:
            loop.call_later(POLL_SECONDS, self._poll_again, loop)
        else:
            self._polling = False

    def _made(self) -> Producer:
        return Producer(
            {**self._properties, "error_cb": self._on_error}, logger=logging.getLogger("kafka")
        )

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._broken = True

    def _renew(self) -> None:
        """Replace a producer that can send no more; what it had is sent again by Stripe."""
        logs.logger("inbox").error("kafka producer broke and is made anew")
        for record in self._outstanding:
            record.fail("the producer broke")
        self._outstanding.clear()
        self._broken = False
        self._producer.purge()
        self._producer = self._made()


class _Outstanding:
    """One record that Kafka has not acknowledged yet."""

    __slots__ = ("deadline", "stored")

    def __init__(self, *, stored: "asyncio.Future[None]", deadline: float) -> None:
        self.stored = stored
        self.deadline = deadline

    def settle(self, error: KafkaError | None, _record: Message) -> None:
        """What librdkafka calls, from within `poll`."""
        if self.stored.done():
            return
        if error is None:
            self.stored.set_result(None)
        else:
            self.fail(error.name())

    def fail(self, reason: str) -> None:
        if not self.stored.done():
            self.stored.set_exception(NotAcknowledged(reason))

    def finished(self, now: float) -> bool:
        """Whether nobody waits for it any more; its deadline may be what ends the wait."""
        if self.stored.done():
            return True
        if now < self.deadline:
            return False
        self.fail("the deadline passed")
        return True


def _properties(
    *, queue_events_max: int, acknowledge_seconds_max: float
) -> dict[str, str | int | float | bool]:
    return {
        # Acknowledged means durable: every replica in sync has it, exactly once.
        "acks": "all",
        "enable.idempotence": True,
        # As the Java clients do, so that a key's partition is the same for everyone.
        "partitioner": "murmur2_random",
        # Long enough to gather what one pass of the loop hands over, too short to be felt.
        "linger.ms": LINGER_MILLISECONDS,
        # Costs no more than sending the bytes plain, and 30 days of JSON take a third of the disk.
        "compression.type": "snappy",
        "message.max.bytes": INBOX_RECORD_BYTES_MAX,
        "queue.buffering.max.messages": queue_events_max,
        "queue.buffering.max.kbytes": QUEUE_KIBIBYTES_MAX,
        # Nobody waits for a record longer: it makes room, and is sent again by Stripe.
        "message.timeout.ms": int(acknowledge_seconds_max * 1_000),
        # A broker that hangs is left for another connection after this time.
        "request.timeout.ms": 5_000,
        "socket.timeout.ms": 10_000,
        "reconnect.backoff.max.ms": 1_000,
        "socket.keepalive.enable": True,
    }
