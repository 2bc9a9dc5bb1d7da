"""The sink's loop: what Kafka gives, made ready while Postgres works on the batch before."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, assert_never

from runtime.clock import MICROS_PER_SECOND, Clock
from runtime.health import Health
from runtime.logs import logger
from runtime.metrics import (
    DEAD_LETTERS,
    DEAD_LETTERS_OPEN,
    SINK_BATCH_RECORDS,
    SINK_CONSUMED,
    SINK_LAG_RECORDS,
    SINK_LAG_SECONDS,
    SINK_PAUSED,
    SINK_UPSERT_SECONDS,
    SINK_WRITTEN,
    Meters,
)
from runtime.retry import Backoff, jitter
from runtime.stop import Stop
from schemas.errors import RegistryUnreachable
from schemas.topics import Names
from sink.batch import Batch, Partition, Record, partitions_of, place_of
from sink.claims import Claim
from sink.database import OpenLetters
from sink.kafka_source import SESSION_SECONDS, KafkaSource
from sink.loader import Loader
from sink.outcomes import Claimed, Counted, Failed, Fenced, Outcome, Written
from sink.writer import Writer

QUIET_SECONDS: Final = 0.1
"""How long a read waits for the first record; also how late a stop is seen."""
BUSY_SECONDS: Final = 0.02
"""How long the loop waits for the writer before it serves Kafka again."""
STUCK_SECONDS: Final = 1.0
"""Records that wait longer than this stop the fetching until they are taken."""
SHOW_SECONDS: Final = 1.0
"""How often lag is shown and Kafka is told the offsets."""
CLAIM_AGAIN_SECONDS: Final = SESSION_SECONDS * 1.5
"""A fenced sink claims again only when the group has had time to say whose the partition is."""
_REGISTRY_BACKOFF: Final = Backoff(first_seconds=0.1, factor=2, pause_seconds_max=5)


class Sink:
    """Reads, makes ready and hands over, until it is told to stop.

    Args:
        names: which table a topic belongs to.
        source: the object topics.
        loader: makes rows of records.
        writer: writes them.
        records_max: records in one batch at most.
        bytes_max: their bytes at most.
    """

    def __init__(
        self,
        *,
        names: Names,
        source: KafkaSource,
        loader: Loader,
        writer: Writer,
        health: Health,
        meters: Meters,
        clock: Clock,
        stop: Stop,
        records_max: int,
        bytes_max: int,
    ) -> None:
        self._names = names
        self._source = source
        self._loader = loader
        self._writer = writer
        self._health = health
        self._meters = meters
        self._clock = clock
        self._stop = stop
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._claims: dict[Partition, Claim] = {}
        self._pending: list[Record] = []
        self._pending_bytes = 0
        self._pending_since = 0.0
        self._owned: set[Partition] = set()
        self._claim_at: dict[Partition, float] = {}
        self._claiming: Counter[Partition] = Counter()
        self._written: dict[Partition, int] = {}
        self._hints: dict[Partition, int] = {}
        self._letters: Mapping[Partition, OpenLetters] = {}
        self._letters_shown: set[tuple[str, str]] = set()
        self._registry_failures = 0
        self._registry_reason = ""
        self._load_at = 0.0
        self._show_at = 0.0

    def run(self) -> None:
        """Until the stop is requested; then finish the batch, commit, and leave the group.

        Raises:
            SinkStopped: what only a person can put right.
        """
        self._writer.start()
        self._source.subscribe()
        try:
            while not self._stop.requested:
                self._health.beat()
                self._read()
                self._follow_assignment()
                self._hand_over()
                for outcome in self._writer.take_outcomes():
                    self._on(outcome)
                self._show()
        finally:
            self._end()

    def _read(self) -> None:
        """Take what Kafka has while there is room; with records in hand, do not wait for more."""
        now = self._clock.monotonic_seconds()
        stuck = bool(self._pending) and now - self._pending_since > STUCK_SECONDS
        if stuck:
            self._source.pause()
        else:
            self._source.resume()
            if self._full:
                return
        # Paused or not, Kafka is served: a member that does not ask is taken for dead.
        found, size = self._source.read(
            records_max=max(1, self._records_max - len(self._pending)),
            bytes_max=max(1, self._bytes_max - self._pending_bytes),
            wait_seconds=0 if self._pending else QUIET_SECONDS,
        )
        if found and not self._pending:
            self._pending_since = now
        self._pending += found
        self._pending_bytes += size

    @property
    def _full(self) -> bool:
        return len(self._pending) >= self._records_max or self._pending_bytes >= self._bytes_max

    def _follow_assignment(self) -> None:
        """Forget what was taken away; ask for what was given."""
        revoked = self._source.take_revoked()
        self._drop(revoked)
        self._owned -= revoked
        now = self._clock.monotonic_seconds()
        assigned = self._source.take_assigned()
        self._owned |= assigned
        self._claim_at.update(dict.fromkeys(assigned, now))
        due = {
            partition
            for partition, at in self._claim_at.items()
            if at <= now and partition in self._owned
        }
        if revoked or due:
            self._claim_at = {
                partition: at
                for partition, at in self._claim_at.items()
                if partition in self._owned and partition not in due
            }
        if due:
            self._claiming.update(due)
            self._writer.claim(due)

    def _drop(self, partitions: Collection[Partition]) -> None:
        """Forget records of partitions that we may no longer write."""
        if not partitions:
            return
        for partition in partitions:
            self._claims.pop(partition, None)
            self._written.pop(partition, None)
            self._hints.pop(partition, None)
        self._pending = _without(self._pending, partitions)

    def _hand_over(self) -> None:
        """Make the records ready and give them to the writer, if it can take them."""
        now = self._clock.monotonic_seconds()
        if not self._pending:
            return
        if now < self._load_at:
            self._stop.wait(seconds=BUSY_SECONDS)
            return
        if not self._writer.free(wait_seconds=BUSY_SECONDS):
            return
        unclaimed = partitions_of(self._pending) - self._claims.keys()
        records = _without(self._pending, unclaimed) if unclaimed else self._pending
        fences = {partition: claim.fence for partition, claim in self._claims.items()}
        try:
            load = self._loader.load(Batch(records=records, fences=fences))
        except RegistryUnreachable as away:
            self._wait_for_registry(away, now)
            return
        self._registry_failures, self._registry_reason = 0, ""
        self._pending, self._pending_bytes = [], 0
        self._writer.hand_over(load)

    def _wait_for_registry(self, away: RegistryUnreachable, now: float) -> None:
        self._registry_failures += 1
        self._registry_reason = f"waiting: {away}"
        pause = _REGISTRY_BACKOFF.pause_seconds(
            attempt=self._registry_failures,
            jitter=jitter(),
        )
        self._load_at = now + pause
        logger("sink").warning("waits", reason=str(away), attempt=self._registry_failures)

    def _on(self, outcome: Outcome) -> None:
        match outcome:
            case Claimed(claims=claims):
                self._begin(claims)
            case Written():
                self._count(outcome)
            case Counted(letters=letters):
                self._letters = letters
            case Fenced(fences=fences):
                self._stand_back(fences)
            case Failed(error=error):
                raise error
            case _:
                assert_never(outcome)

    def _begin(self, claims: Mapping[Partition, Claim]) -> None:
        """Read what was claimed, unless it was taken away or claimed anew meanwhile."""
        self._claiming.subtract(claims.keys())
        ours = {
            partition: claim
            for partition, claim in claims.items()
            if partition in self._owned and not self._claiming[partition]
        }
        self._claims.update(ours)
        self._written.update({one: claim.next_offset for one, claim in ours.items()})
        self._source.start({one: claim.next_offset for one, claim in ours.items()})
        logger("sink").info("partitions claimed", partitions=len(ours), in_all=len(self._claims))

    def _stand_back(self, fences: Mapping[Partition, int]) -> None:
        """Leave partitions to who claimed them; claim again if the group still says ours later."""
        lost = {
            partition
            for partition, fence in fences.items()
            if partition in self._claims and self._claims[partition].fence == fence
        }
        self._source.stand_back(lost)
        self._drop(lost)
        again = self._clock.monotonic_seconds() + CLAIM_AGAIN_SECONDS
        self._claim_at.update(dict.fromkeys(lost, again))

    def _count(self, written: Written) -> None:
        """Keep the offsets for Kafka and the figures for Prometheus."""
        ours = {
            partition: offset
            for partition, offset in written.next_offsets.items()
            if partition in self._claims
        }
        self._written.update(ours)
        self._hints.update(ours)
        for topic, records in written.consumed.items():
            self._meters.add(SINK_CONSUMED, records, object=self._names.table_of(topic))
        for table, rows in written.rows.items():
            self._meters.add(SINK_WRITTEN, rows, object=table)
        for reason, letters in written.dead.items():
            self._meters.add(DEAD_LETTERS, letters, service="sink", reason=reason)
        self._meters.observe(SINK_BATCH_RECORDS, written.records)
        self._meters.observe(SINK_UPSERT_SECONDS, written.seconds)
        if written.received_at_oldest is not None:
            late = self._clock.utc_micros() - written.received_at_oldest
            self._meters.set_to(SINK_LAG_SECONDS, late / MICROS_PER_SECOND)

    def _show(self) -> None:
        """Say from time to time whether work is done, how far behind it is, and where Kafka is."""
        now = self._clock.monotonic_seconds()
        if now < self._show_at:
            return
        self._show_at = now + SHOW_SECONDS
        waits_for = self._writer.waits_for or self._registry_reason or self._source.away()
        self._meters.set_to(SINK_PAUSED, 1 if waits_for else 0)
        if waits_for:
            self._health.mark_unready(waits_for)
        else:
            self._health.mark_ready()
        self._show_letters()
        for topic, records in self._source.lag(self._written).items():
            self._meters.set_to(SINK_LAG_RECORDS, records, topic=topic)
        hints, self._hints = self._hints, {}
        self._source.commit_hint(hints)

    def _show_letters(self) -> None:
        """Show the open dead letters of our partitions; what was shown and is gone becomes 0."""
        open_now: Counter[tuple[str, str]] = Counter(dict.fromkeys(self._letters_shown, 0))
        for partition, letters in self._letters.items():
            if partition in self._claims:
                for reason, count in letters.reasons.items():
                    open_now[partition.topic, reason] += count
        for (topic, reason), count in open_now.items():
            self._meters.set_to(DEAD_LETTERS_OPEN, count, topic=topic, reason=reason)
        self._letters_shown = set(open_now)

    def _end(self) -> None:
        """Finish what was handed over, tell Kafka, and leave the group."""
        self._health.mark_unready("stopping")
        self._writer.finish()
        failed: Failed | None = None
        for outcome in self._writer.take_outcomes():
            match outcome:
                case Written():
                    self._count(outcome)
                case Failed():
                    failed = outcome
                case Claimed() | Counted() | Fenced():
                    continue
                case _:
                    assert_never(outcome)
        self._source.commit_hint(self._hints, wait=True)
        self._source.close()
        if failed is not None:
            raise failed.error


def _without(records: list[Record], partitions: Collection[Partition]) -> list[Record]:
    return [record for record in records if place_of(record).partition not in partitions]
