"""The relay's loop: inbox in, object topics out, one transaction after the other.

While one transaction is being committed the next batch is read and prepared; nothing is decided
before the outcome is known. All that can go wrong has one way out: what was read is forgotten, and
the partitions are taken over again from their committed offsets.
"""

import gc
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from producer.background import Call
from producer.deciding import Decider, Outcome
from producer.errors import (
    Interrupted,
    KafkaUnreachable,
    NotCommitted,
    PartitionsMoved,
    UnknownOutcome,
)
from producer.families import Families, Family
from producer.kafka_relay_consumer import InboxConsumer
from producer.kafka_relay_producer import TransactionalProducer
from producer.order import Entry
from producer.portions import Portions
from producer.preparing import Candidate, Prepared, Preparer
from producer.publishing import Published, Publisher
from producer.reading import InboxRecord
from producer.relay_lag import RelayLag
from producer.relay_meters import RelayMeters
from producer.relay_partitions import Partitions
from producer.routing import Router
from producer.tie_desk import Answers, TieDesk
from producer.wishes import fetched_record, sighted_record, wanted_record
from runtime import logs
from runtime.clock import Clock
from runtime.health import Health
from runtime.retry import Backoff
from runtime.stop import Stop
from schemas.dead_letters import DeadLetter
from schemas.errors import RegistryUnreachable
from schemas.topics import Names

IDLE_WAIT_SECONDS: Final = 0.5
BUSY_WAIT_SECONDS: Final = 0.05
RECOVERY_POLL_SECONDS: Final = 0.1
COMMIT_SECONDS_MAX: Final = 14.0
"""More than all time limits within a commit: then the call itself is stuck."""
COLLECT_ROUNDS: Final = 200


class InFlight(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that is being committed.

    Attributes:
        next_offsets: partition -> what is read next, whatever still waits.
    """

    committed: Call
    published: Published
    prepared: Prepared | None
    outcome: Outcome
    next_offsets: dict[int, int]
    started: float


class Relay:
    """One relay instance; `run` is its life.

    Args:
        make_producer: a new transactional producer, not started yet.
        portions: how much is published in one transaction.
        linger_seconds: how long a batch waits for more after its first record.
    """

    def __init__(
        self,
        *,
        names: Names,
        consumer: InboxConsumer,
        make_producer: Callable[[], TransactionalProducer],
        preparer: Preparer,
        decider: Decider,
        families: Families,
        router: Router,
        publisher: Publisher,
        partitions: Partitions,
        ties: TieDesk,
        portions: Portions,
        linger_seconds: float,
        clock: Clock,
        health: Health,
        meters: RelayMeters,
        lag: RelayLag,
    ) -> None:
        self._names = names
        self._consumer = consumer
        self._make_producer = make_producer
        self._preparer = preparer
        self._decider = decider
        self._families = families
        self._router = router
        self._publisher = publisher
        self._partitions = partitions
        self._ties = ties
        self._portions = portions
        self._linger_seconds = linger_seconds
        self._clock = clock
        self._health = health
        self._meters = meters
        self._lag = lag
        self._log = logs.logger("relay")
        self._backoff = Backoff(first_seconds=0.1, factor=2.0, pause_seconds_max=5.0)
        self._producer: TransactionalProducer | None = None
        self._in_flight: InFlight | None = None
        self._taken_generation = -1
        self._positions: dict[int, int] = {}
        self._failures = 0
        self._rounds = 0

    def run(self, stop: Stop) -> None:
        """Relay until the stop is requested.

        Raises:
            ForeignRecord, SchemaNotRegistered, TopicRefused: it cannot go on.
        """
        self._consumer.subscribe()
        # A batch holds tens of thousands of values and none in a circle: the collector would walk
        # over them again and again, and find nothing.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            while not stop.requested:
                try:
                    self._round(stop)
                except (Interrupted, KafkaUnreachable, RegistryUnreachable) as error:
                    self._recover(error, stop)
        finally:
            self._end()

    def _round(self, stop: Stop) -> None:
        """Read a batch, and publish it once the batch before it is committed."""
        self._health.beat()
        if self._consumer.generation != self._taken_generation:
            self._take_over(stop)
        records = self._read()
        self._rounds += 1
        if not records or self._rounds % COLLECT_ROUNDS == 0:
            gc.collect()
        if self._consumer.generation != self._taken_generation:
            raise PartitionsMoved("the partitions were given out anew")
        prepared = self._prepare(records)
        committed = self._finish()
        answers = self._ties.answers()
        if prepared is not None or answers.fetched or answers.by_arrival:
            self._transact(prepared, committed, answers)
        self._show(idle=not records and not self._portions and self._in_flight is None)

    def _show(self, *, idle: bool) -> None:
        """Say how far behind the relay is, and whether it can do its work."""
        self._lag.show(idle=idle, reading=not self._consumer.paused)
        if self._lag.none:
            self._failures = 0
        # An idle relay would not notice otherwise.
        away = self._consumer.away()
        if away:
            self._health.mark_unready(away)
        elif self._taken_generation > 0 and not self._failures:
            # Without partitions too: it stands by for a relay that leaves. After a failure only
            # a commit proves that it is over, or an inbox that is empty.
            self._health.mark_ready()

    def _read(self) -> list[InboxRecord]:
        busy = self._in_flight is not None or len(self._ties) > 0
        wait_seconds = BUSY_WAIT_SECONDS if busy else IDLE_WAIT_SECONDS
        if self._ties.full:
            self._consumer.pause()
            self._portions.add(self._consumer.first(wait_seconds=wait_seconds))
            return []
        self._consumer.resume()
        records = self._consumer.first(wait_seconds=0 if self._portions else wait_seconds)
        self._portions.add(records)
        more = self._portions.records_max - len(self._portions)
        if records and more > 0:
            self._portions.add(
                self._consumer.more(records_max=more, linger_seconds=self._linger_seconds)
            )
        return self._portions.next()

    def _prepare(self, records: list[InboxRecord]) -> Prepared | None:
        if not records:
            return None
        return self._preparer.prepare(records, self._partitions.entries)

    def _transact(
        self, prepared: Prepared | None, committed: dict[str, Entry], answers: Answers
    ) -> None:
        """Decide upon a batch and hand it to Kafka; the commit goes on in the background."""
        assert self._producer is not None
        outcome = self._decide(prepared, committed, answers)
        changes = [*outcome.changes, *outcome.family.changes]
        ready = self._publisher.ready(outcome.followers, changes)
        started = self._clock.monotonic_seconds()
        self._producer.begin()
        published = self._publisher.put(self._producer, ready)
        self._put_aside(self._producer, prepared, answers, outcome.family)
        touched = {candidate.observation.partition for candidate in answers.settled}
        touched |= {candidate.observation.partition for candidate in answers.by_arrival}
        if prepared is not None:
            self._positions |= prepared.next_offsets
            touched |= prepared.next_offsets.keys()
        next_offsets = self._ties.bounded(
            {partition: self._positions[partition] for partition in touched}
        )
        self._in_flight = InFlight(
            committed=Call(
                partial(
                    self._producer.commit,
                    self._names.inbox,
                    next_offsets,
                    self._consumer.group_metadata(),
                ),
                name="commit",
            ),
            published=published,
            prepared=prepared,
            outcome=outcome,
            next_offsets={partition: self._positions[partition] for partition in touched},
            started=started,
        )

    def _decide(
        self, prepared: Prepared | None, committed: dict[str, Entry], answers: Answers
    ) -> Outcome:
        candidates = prepared.candidates if prepared is not None else []
        entries = dict(prepared.entries) if prepared is not None else {}
        waited = [*answers.settled, *answers.by_arrival]
        entries |= self._entries_of(waited)
        wishes = prepared.wishes if prepared is not None else []
        entries |= committed
        outcome = self._decider.decide(
            candidates,
            entries,
            busy={candidate.name for candidate in (*wishes, *waited)},
            in_step=self._families.in_step,
        )
        self._decider.wish(wishes, entries, outcome)
        by_arrival = [*answers.by_arrival, *self._ties.take_in(outcome.to_fetch)]
        if by_arrival:
            more = self._entries_of(by_arrival)
            self._decider.by_arrival(by_arrival, more | entries, outcome)
        self._decider.settled(answers.settled, entries, outcome)
        # The memory holds every batch before by now: nothing needs to be laid over it here.
        outcome.family = self._families.decide(
            outcome.changes, outcome.unchanged, self._partitions
        )
        return outcome

    def _entries_of(self, candidates: list[Candidate]) -> dict[str, Entry]:
        names: dict[int, list[str]] = {}
        for candidate in candidates:
            names.setdefault(candidate.observation.partition, []).append(candidate.name)
        return self._partitions.entries(names) if names else {}

    def _put_aside(
        self,
        producer: TransactionalProducer,
        prepared: Prepared | None,
        answers: Answers,
        family: Family,
    ) -> None:
        """Put into the transaction what is no change: dead letters, and what is to be read."""
        now = self._clock.utc_micros()
        for dead in prepared.dead if prepared is not None else ():
            letter = DeadLetter(
                service="relay",
                topic=self._names.inbox,
                partition=dead.record.partition,
                offset=dead.record.offset,
                reason=dead.reason,
                at=now,
                stack=dead.stack,
            )
            producer.put(
                self._names.dead_letters,
                -1,
                dead.record.key,
                dead.record.value,
                letter.headers(dead.record.headers),
            )
        returned = [
            *(
                fetched_record(one, received_at=now, router=self._router)
                for one in answers.fetched
            ),
            *(wanted_record(one, received_at=now) for one in family.wanted.values()),
            *map(sighted_record, family.sightings),
        ]
        for record in returned:
            if record is not None:
                producer.put(
                    self._names.inbox, record.partition, record.key, record.value, record.headers
                )

    def _finish(self) -> dict[str, Entry]:
        """Wait for the transaction under way, and remember what it published: entries by name.

        Raises:
            NotCommitted, UnknownOutcome: it did not get through.
            KafkaUnreachable: it did, but a topic's id is not known.
        """
        in_flight = self._in_flight
        if in_flight is None:
            return {}
        self._in_flight = None
        in_flight.committed.outcome(seconds_max=COMMIT_SECONDS_MAX)
        self._failures = 0
        committed: dict[str, Entry] = {}
        for partition, entries, progress in in_flight.published.remembered(
            self._partitions.topic_id
        ):
            self._partitions.remember(partition, entries, progress)
            committed |= entries
        for name, (partition, learnt) in in_flight.outcome.learnt.items():
            offset = committed[name].record_offset if name in committed else learnt.record_offset
            committed[name] = msgspec.structs.replace(learnt, record_offset=offset)
            self._partitions.remember(partition, {name: committed[name]}, {})
        seconds = self._clock.monotonic_seconds() - in_flight.started
        self._portions.committed(seconds=seconds)
        self._meters.committed(in_flight.prepared, in_flight.outcome, seconds=seconds)
        prepared = in_flight.prepared
        self._lag.relayed(
            in_flight.next_offsets,
            received_at=prepared.received_at if prepared is not None else 0,
        )
        return committed

    def _take_over(self, stop: Stop) -> None:
        """Make the partitions that the group gave us ours, before anything is read of them.

        In this order: the committed offsets, for which Kafka waits until no transaction over
        them is open; then the object topics up to their ends as they are now; then the inbox.
        """
        self._forget()
        generation, owned = self._consumer.generation, self._consumer.owned

        def alive() -> None:
            self._health.beat()
            self._lag.show(idle=False, reading=False)
            self._consumer.first(wait_seconds=0)
            if stop.requested or self._consumer.generation != generation:
                raise PartitionsMoved("taking over was interrupted")

        if owned and self._producer is None:
            producer = self._make_producer()
            Call(producer.start, name="start").outcome(seconds_max=COMMIT_SECONDS_MAX)
            self._producer = producer
        committed = self._consumer.committed(owned) if owned else {}
        self._lag.begin(committed)
        restored = self._partitions.take_over(
            owned, cluster_id=self._consumer.cluster_id(), alive=alive
        )
        if owned:
            self._consumer.read_from(committed)
        self._positions = {}
        self._taken_generation = generation
        if generation:
            self._log.info("partitions taken over", partitions=list(owned), restored=restored)

    def _recover(self, error: Exception, stop: Stop) -> None:
        """Forget what was read, keep the place in the group, and pause before another try."""
        moved = isinstance(error, PartitionsMoved)
        if not moved:
            self._failures += 1
            self._log.warning(
                "relay interrupted",
                error=type(error).__name__,
                reason=str(error),
                attempt=self._failures,
            )
            self._health.mark_unready(f"{type(error).__name__}: {error}")
        self._forget()
        if isinstance(error, UnknownOutcome):
            self._portions.failed()
            self._discard_producer()
        self._taken_generation = -1
        if self._consumer.owned:
            self._consumer.read_nothing()
        if moved:
            return
        pause_seconds = self._backoff.pause_seconds(attempt=self._failures, jitter=0.0)
        until = self._clock.monotonic_seconds() + pause_seconds
        while not stop.requested and self._clock.monotonic_seconds() < until:
            self._health.beat()
            self._lag.show(idle=False, reading=False)
            self._consumer.first(wait_seconds=RECOVERY_POLL_SECONDS)

    def _forget(self) -> None:
        """Let go of everything that is not committed; what is under way may end as it will."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is not None:
            try:
                in_flight.committed.outcome(seconds_max=COMMIT_SECONDS_MAX)
            except NotCommitted:
                pass
            except UnknownOutcome:
                self._discard_producer()
        self._portions.forget()
        self._ties.forget()
        self._decider.forget()
        self._families.forget()

    def _discard_producer(self) -> None:
        if self._producer is not None:
            self._producer.discard()
            self._producer = None

    def _end(self) -> None:
        try:
            self._finish()
        except (Interrupted, KafkaUnreachable) as error:
            # Whoever takes over reads the same records again.
            self._log.info("last batch left to others", error=type(error).__name__)
        self._consumer.close()
        self._partitions.close()
