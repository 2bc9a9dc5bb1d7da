"""The relay's side of the inbox: which partitions are ours, and the records that come in.

The group's callbacks only record what happened. Taking a partition over is the relay's work: it
reads its memory up to date first, and says then where to read on.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

from producer.errors import KafkaUnreachable
from producer.reading import InboxRecord
from runtime import logs

CALL_SECONDS_MAX: Final = 10.0
BOUNDS_SECONDS_MAX: Final = 1.0
AWAY_PROBE_SECONDS_MAX: Final = 1.0
SESSION_SECONDS_MAX: Final = 10.0
"""A relay that was killed holds its partitions for so long."""
FETCH_KIBIBYTES_MAX: Final = 131_072


class InboxConsumer:
    """One member of the relay's consumer group."""

    def __init__(
        self, *, kafka: Mapping[str, str | int | float | bool], topic: str, group: str
    ) -> None:
        """Make the consumer; `subscribe` joins the group."""
        self._topic = topic
        self._group = group
        self._away = ""
        self._consumer = Consumer(
            {**kafka, **_properties(group), "error_cb": self._on_error},
            logger=logging.getLogger("kafka"),
        )
        self._owned: tuple[int, ...] = ()
        self._generation = 0
        self._paused = False

    def subscribe(self) -> None:
        """Join the group; partitions are given while polling."""
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_revoke,
        )

    @property
    def owned(self) -> tuple[int, ...]:
        """The partitions that the group gave us."""
        return self._owned

    @property
    def generation(self) -> int:
        """Grows whenever the group gives or takes partitions."""
        return self._generation

    def away(self) -> str:
        """Why Kafka cannot be reached; empty when it can."""
        if self._away:
            try:
                self._consumer.list_topics(self._topic, timeout=AWAY_PROBE_SECONDS_MAX)
                self._away = ""
            except KafkaException as error:
                logs.logger("relay").debug("still away", error=error.args[0].name())
        return self._away

    def first(self, *, wait_seconds: float) -> list[InboxRecord]:
        """The next record, or none within the time; serves the group meanwhile."""
        message = self._consumer.poll(wait_seconds)
        return [] if message is None else _records([message])

    def more(self, *, records_max: int, linger_seconds: float) -> list[InboxRecord]:
        """What else is there, or comes within the linger."""
        return _records(self._consumer.consume(records_max, linger_seconds))

    def committed(self, partitions: Iterable[int]) -> dict[int, int | None]:
        """The next offset to read of each partition, none where nothing was committed yet.

        Waits for a transaction that is still open over them: its outcome decides.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        wanted = [TopicPartition(self._topic, partition) for partition in partitions]
        try:
            found = self._consumer.committed(wanted, CALL_SECONDS_MAX)
        except KafkaException as error:
            raise KafkaUnreachable(
                f"Kafka does not tell the relay's offsets: {error.args[0].name()}"
            ) from error
        for place in found:
            if place.error is not None:
                raise KafkaUnreachable(
                    f"Kafka does not tell the relay's offsets: {place.error.name()}"
                )
        return {
            place.partition: None if place.offset == OFFSET_INVALID else place.offset
            for place in found
        }

    def read_from(self, next_offsets: Mapping[int, int | None]) -> None:
        """Read these partitions from these offsets, the beginning where there is none."""
        places = [
            TopicPartition(self._topic, partition, OFFSET_BEGINNING if offset is None else offset)
            for partition, offset in next_offsets.items()
        ]
        self._consumer.assign(places)
        # A partition that was paused when the group took it would stay so for ever.
        self._consumer.resume(places)
        self._paused = False

    def read_nothing(self) -> None:
        """Stay in the group, but read nothing until `read_from`."""
        self._consumer.assign([])

    @property
    def paused(self) -> bool:
        """Whether nothing more is read for now."""
        return self._paused

    def pause(self) -> None:
        """Read nothing more for now."""
        if not self._paused:
            self._consumer.pause(self._consumer.assignment())
            self._paused = True

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._consumer.resume(self._consumer.assignment())
            self._paused = False

    def bounds(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """The first offset and the end of inbox partitions, as last heard of while reading."""
        found = {}
        for partition in partitions:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), cached=True
            )
            if high >= 0:
                found[partition] = (max(0, low), high)
        return found

    def bounds_asked_for(self, partitions: Iterable[int]) -> dict[int, tuple[int, int]]:
        """The same as Kafka tells now; without those of which it does not."""
        found: dict[int, tuple[int, int]] = {}
        for partition in partitions:
            try:
                bounds = self._consumer.get_watermark_offsets(
                    TopicPartition(self._topic, partition), BOUNDS_SECONDS_MAX
                )
            except KafkaException as error:
                logs.logger("relay").debug("ends not told", error=error.args[0].name())
                bounds = None
            if bounds is None:
                # The others would take as long.
                break
            found[partition] = bounds
        return found

    def positions(self) -> dict[int, int]:
        """The next offset to read of each partition that was read since `read_from`."""
        places = self._consumer.position(self._consumer.assignment())
        return {place.partition: place.offset for place in places if place.offset >= 0}

    def group_metadata(self) -> Any:
        """What ties a transaction to this member of the group, in this generation."""
        return self._consumer.consumer_group_metadata()

    def cluster_id(self) -> str:
        """The Kafka cluster's id.

        Raises:
            KafkaUnreachable: no answer in time.
        """
        found = self._consumer.cluster_id(CALL_SECONDS_MAX)
        if not found:
            raise KafkaUnreachable("Kafka does not tell its cluster id.")
        return found

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        self._owned = tuple(sorted(place.partition for place in partitions))
        self._generation += 1
        consumer.assign([])

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._away = "Kafka cannot be reached"
        elif error.code() == KafkaError._AUTHENTICATION:
            self._away = "Kafka refuses KAFKA_USERNAME or KAFKA_PASSWORD"

    def _on_revoke(self, consumer: Consumer, _partitions: Sequence[TopicPartition]) -> None:
        self._owned = ()
        self._generation += 1
        consumer.unassign()


def _records(messages: Iterable[Any]) -> list[InboxRecord]:
    found = []
    for message in messages:
        error: KafkaError | None = message.error()
        if error is not None:
            if error.fatal():
                raise KafkaUnreachable(f"the relay's consumer broke: {error.name()}")
            continue
        found.append(
            InboxRecord(
                key=message.key() or b"",
                value=message.value() or b"",
                headers=message.headers() or [],
                partition=message.partition(),
                offset=message.offset(),
            )
        )
    return found


def _properties(group: str) -> dict[str, str | int | float | bool]:
    return {
        "group.id": group,
        # Everyone gives up everything on each rebalance and takes over by the one way there is.
        # The memory files stay, so that taking over again costs little.
        "partition.assignment.strategy": "range",
        "session.timeout.ms": int(SESSION_SECONDS_MAX * 1_000),
        "heartbeat.interval.ms": 1_000,
        # Building a large memory anew is work, not death: the loop polls while it reads.
        "max.poll.interval.ms": 600_000,
        # Offsets move in the relay's transactions only.
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        # Also makes the question for committed offsets wait for open transactions.
        "isolation.level": "read_committed",
        "fetch.wait.max.ms": 500,
        "fetch.min.bytes": 1,
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": FETCH_KIBIBYTES_MAX,
        "fetch.queue.backoff.ms": 20,
        "fetch.message.max.bytes": 4_194_304,
        "reconnect.backoff.max.ms": 1_000,
    }
