"""The object topics: which partitions are ours, their records, and how far behind we are.

Where reading begins is never Kafka's to say: a new partition only waits in `take_assigned` until
its offset has come out of Postgres and `start` is called with it.
"""

from collections.abc import Collection, Mapping
from typing import Final

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from runtime.logs import logger
from schemas.topics import Names
from sink.batch import Partition, Record

SESSION_SECONDS: Final = 10
"""A killed sink's partitions go to the others after so long."""
METADATA_SECONDS: Final = 3
"""A new topic is seen after so long at most."""
RECORDS_AT_ONCE_MAX: Final = 2_000

_QUIET_ERRORS: Final = frozenset(
    {
        KafkaError._PARTITION_EOF,
        # The pattern matches nothing yet, or a topic was deleted.
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)


class KafkaSource:
    """A member of the sink's consumer group.

    Callbacks of the client only record what happened; the loop takes it with the `take_` methods.

    Args:
        properties: how the brokers are reached.
        names: the installation's topics and its group.
    """

    def __init__(
        self, properties: Mapping[str, str | int | float | bool], *, names: Names
    ) -> None:
        self._names = names
        self._assigned: set[Partition] = set()
        self._revoked: set[Partition] = set()
        self._started: set[Partition] = set()
        self._ends: dict[Partition, int] = {}
        self._paused = False
        self._away = "waiting: Kafka has not answered yet"
        self._consumer = Consumer(
            {
                **properties,
                "client.id": "stripeline-sink",
                "group.id": names.sink_group,
                # What a relay's aborted transaction holds was never published.
                "isolation.level": "read_committed",
                # Only the partitions that move stand still in a rebalance. The newer protocol
                # (KIP-848) takes the time after which a dead member is missed from the broker.
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": SESSION_SECONDS * 1_000,
                "heartbeat.interval.ms": 1_000,
                # Postgres knows the offsets; Kafka is told of them afterwards, by `commit_hint`.
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # An offset that the topic no longer has means that it was made anew: reading it
                # from its beginning repeats, and a repeated record changes no row.
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": METADATA_SECONDS * 1_000,
                "allow.auto.create.topics": False,
                "enable.partition.eof": True,
                # Records go out when there is one; the queue is refilled before it is empty.
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": 500,
                "fetch.queue.backoff.ms": 10,
                "queued.min.messages": 20_000,
                "queued.max.messages.kbytes": 65_536,
                "error_cb": self._on_error,
            }
        )

    def subscribe(self) -> None:
        """Join the group for every object topic, those to come included."""
        self._consumer.subscribe(
            [self._names.object_topic_pattern],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    def read(
        self, *, records_max: int, bytes_max: int, wait_seconds: float
    ) -> tuple[list[Record], int]:
        """The records that are there and their bytes; waits for the first, at most `wait_seconds`.

        Raises:
            KafkaException: the client cannot go on.
        """
        found: list[Record] = []
        size = self._keep([self._consumer.poll(wait_seconds)], found)
        while len(found) < records_max and size < bytes_max:
            more = self._consumer.consume(min(RECORDS_AT_ONCE_MAX, records_max - len(found)), 0)
            if not more:
                break
            size += self._keep(more, found)
        return found, size

    def take_assigned(self) -> set[Partition]:
        """The partitions that became ours and wait for `start`."""
        taken, self._assigned = self._assigned, set()
        return taken

    def take_revoked(self) -> set[Partition]:
        """The partitions that are no longer ours."""
        taken, self._revoked = self._revoked, set()
        return taken

    def start(self, offsets: Mapping[Partition, int]) -> None:
        """Read these partitions from these offsets on."""
        self._started.update(offsets)
        self._consumer.incremental_assign(
            [
                TopicPartition(partition.topic, partition.number, offset)
                for partition, offset in offsets.items()
            ]
        )
        if self._paused:
            self._consumer.pause(_listed(offsets))

    def stand_back(self, partitions: Collection[Partition]) -> None:
        """Read these partitions no more, until `start` is called for them again."""
        ours = self._started.intersection(partitions)
        self._started -= ours
        self._consumer.incremental_unassign(_listed(ours))

    def pause(self) -> None:
        """Fetch nothing, but stay a member of the group: `read` must still be called."""
        if not self._paused:
            self._paused = True
            self._consumer.pause(_listed(self._started))

    def resume(self) -> None:
        """Fetch again."""
        if self._paused:
            self._paused = False
            self._consumer.resume(_listed(self._started))

    def commit_hint(self, offsets: Mapping[Partition, int], *, wait: bool = False) -> None:
        """Tell Kafka how far we are: for those who watch lag, nothing depends on it."""
        hints = [
            TopicPartition(partition.topic, partition.number, offset)
            for partition, offset in offsets.items()
            if partition in self._started
        ]
        try:
            if hints and wait:
                self._consumer.commit(offsets=hints, asynchronous=False)
            elif hints:
                self._consumer.commit(offsets=hints, asynchronous=True)
        except KafkaException:
            # The group is rebalancing; the next hint says the same and more.
            return

    def lag(self, next_offsets: Mapping[Partition, int]) -> dict[str, int]:
        """How many records of each topic are not written yet, as far as is known here."""
        found: dict[str, int] = {}
        for partition in self._started:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(partition.topic, partition.number), cached=True
            )
            # The end of a transaction takes an offset, too, which no record has.
            at = max(low, next_offsets.get(partition, 0), self._ends.get(partition, 0))
            behind = max(0, high - at) if high != OFFSET_INVALID else 0
            found[partition.topic] = found.get(partition.topic, 0) + behind
        return found

    def away(self) -> str:
        """Why Kafka cannot be reached; empty when it can."""
        if self._away:
            try:
                self._consumer.list_topics(self._names.dead_letters, timeout=1.0)
                self._away = ""
            except KafkaException:
                pass
        return self._away

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _keep(self, messages: "list[Message] | list[Message | None]", found: list[Record]) -> int:
        """Sort out what is no record; the bytes of what was kept."""
        size = 0
        for message in messages:
            if message is None:
                continue
            error = message.error()
            if error is None:
                found.append(message)
                size += len(message)
                continue
            if error.code() == KafkaError._PARTITION_EOF:
                topic, number, offset = message.topic(), message.partition(), message.offset()
                if topic is not None and number is not None and offset is not None:
                    self._ends[Partition(topic, number)] = offset
            elif error.fatal():
                raise KafkaException(error)
            elif error.code() not in _QUIET_ERRORS:
                logger("kafka").warning("kafka says no", error=error.name(), topic=message.topic())
        return size

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._assigned |= _partitions(partitions)
        # The client would start them by itself, at Kafka's offsets, if nothing were called.
        consumer.incremental_assign([])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        gone = _partitions(partitions)
        self._assigned -= gone
        self._revoked |= gone
        started = self._started & gone
        self._started -= gone
        for partition in gone:
            self._ends.pop(partition, None)
        consumer.incremental_unassign(_listed(started))

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away = "waiting: Kafka cannot be reached"
        elif error.code() == KafkaError._AUTHENTICATION:
            self._away = "waiting: Kafka refuses KAFKA_USERNAME or KAFKA_PASSWORD"


def _partitions(found: Collection[TopicPartition]) -> set[Partition]:
    return {Partition(one.topic, one.partition) for one in found}


def _listed(partitions: Collection[Partition]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.number) for partition in partitions]
