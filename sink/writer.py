"""The writer: a thread that puts loads into Postgres, one after the other, whatever happens.

An outage is waited for. A refused load is halved until the record that Postgres refuses stands
alone and goes to the dead letters. What only a person can put right ends the thread.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar, assert_never

from runtime.clock import Clock
from runtime.errors import frames_of
from runtime.logs import logger
from runtime.retry import Backoff, jitter
from schemas.errors import RegistryUnreachable
from sink.batch import Batch, Partition, Place, longest_run, place_of, runs_after
from sink.claims import Step
from sink.database import Database, DeadLetters, DeadRow
from sink.death_rate import SPAN, DeathRate
from sink.errors import (
    Action,
    DeadLettersAway,
    FenceLost,
    PostgresAway,
    PostgresRefused,
    TooManyDeadLetters,
    WriteRefused,
    rule_of,
)
from sink.load import Dead, Load, places
from sink.outcomes import Claimed, Counted, Failed, Fenced, Outcome, Written

BACKOFF: Final = Backoff(first_seconds=0.1, factor=2, pause_seconds_max=5)
FINISH_SECONDS_MAX: Final = 20.0
LETTERS_SECONDS: Final = 10.0
"""How often the register of dead letters is read: a person may have settled some."""

Answer = TypeVar("Answer")


class _Abandoned(Exception):
    """The process stops while an outage lasts; what was not written will be read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A load, or a half of one, and what Postgres said of its one record if it is refused."""

    load: Load
    summary: str = ""


class Writer:
    """Takes claims and loads, one load ahead; tells what became of them in `outcomes`.

    Args:
        database: used by the writer's thread only.
        dead_letters: durable before the offset moves past the record.
        reload: makes a load of a part of a batch.
        clock: for how long a transaction took.
        dead_letters_in_a_row_max: more of one partition stop the writer.
        dead_letters_per_thousand_max: more within 1,000 offsets of one partition do, too.
    """

    def __init__(
        self,
        *,
        database: Database,
        dead_letters: DeadLetters,
        reload: Callable[[Batch], Load],
        clock: Clock,
        dead_letters_in_a_row_max: int,
        dead_letters_per_thousand_max: int,
    ) -> None:
        self._database = database
        self._dead_letters = dead_letters
        self._reload = reload
        self._clock = clock
        self._in_a_row_max = dead_letters_in_a_row_max
        self._in_a_row: dict[Partition, int] = {}
        self._rate = DeathRate(dead_max=dead_letters_per_thousand_max)
        self._reached: dict[Partition, int] = {}
        self._fences: dict[Partition, int] = {}
        self._letters_at = 0.0
        self._came_back = False
        self._acknowledged: set[Place] = set()
        self._turn = threading.Condition()
        self._claims: set[Partition] = set()
        self._next: Load | None = None
        self._outcomes: deque[Outcome] = deque()
        self._finish = threading.Event()
        self._waits_for = "schema stripeline is being looked at"
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin: run the migrations, then wait for work."""
        self._thread.start()

    @property
    def waits_for(self) -> str:
        """What keeps the writer from writing, in words for the operator; empty when nothing."""
        return self._waits_for

    def claim(self, partitions: Collection[Partition]) -> None:
        """Ask for partitions; a `Claimed` outcome follows."""
        with self._turn:
            self._claims.update(partitions)
            self._turn.notify_all()

    def free(self, *, wait_seconds: float) -> bool:
        """Whether a load may be handed over; waits for that at most so long."""
        with self._turn:
            return self._turn.wait_for(lambda: self._next is None, wait_seconds)

    def hand_over(self, load: Load) -> None:
        """Give the next load; only when `free`."""
        with self._turn:
            assert self._next is None
            self._next = load
            self._turn.notify_all()

    def take_outcomes(self) -> list[Outcome]:
        """What happened since the last call."""
        taken = []
        while self._outcomes:
            taken.append(self._outcomes.popleft())
        return taken

    def finish(self) -> None:
        """Write what was handed over and end; an outage is no longer waited for."""
        self._finish.set()
        with self._turn:
            self._turn.notify_all()
        self._thread.join(FINISH_SECONDS_MAX)
        if self._thread.is_alive():
            logger("writer").warning("postgres did not answer in time; the batch is read again")

    def _run(self) -> None:
        try:
            for name in self._patiently(self._database.migrate):
                logger("writer").info("migrated", migration=name)
            while self._take_turn():
                if self._came_back:
                    self._look_after_outage()
        except _Abandoned:
            logger("writer").info("stopped during an outage; nothing is lost")
        except Exception as error:  # noqa: BLE001 - the loop raises it in the main thread
            self._outcomes.append(Failed(error=error))
        finally:
            self._database.close()

    def _take_turn(self) -> bool:
        """Do the next piece of work; false when there is none and there will be no more."""
        left = max(0.0, self._letters_at - self._clock.monotonic_seconds())
        with self._turn:
            self._turn.wait_for(
                lambda: self._claims or self._next is not None or self._finish.is_set(), left
            )
            claims, self._claims = self._claims, set()
            load = None if claims else self._next
        if claims:
            found = self._patiently(lambda: self._database.claim(claims))
            for partition, claim in found.items():
                self._in_a_row[partition] = claim.dead_letters_in_a_row
                self._rate.begin(partition, claim.died_lately)
                self._reached[partition] = claim.next_offset
                self._fences[partition] = claim.fence
            self._outcomes.append(Claimed(claims=found))
            self._letters_at = 0.0
            return True
        if self._clock.monotonic_seconds() >= self._letters_at:
            self._count_letters()
        if load is None:
            return not self._finish.is_set()
        with self._turn:
            # Taken: the next one may be made ready while this one is written.
            self._next = None
            self._turn.notify_all()
        self._write(load)
        return True

    def _write(self, load: Load) -> None:
        """Write all of a load, in parts where it must be; each part is one transaction."""
        parts = [_Part(load=load)]
        looked_again = False
        while parts:
            part = parts.pop()
            if not part.load.batch.records:
                continue
            try:
                self._bury(part)
                self._put(part)
            except FenceLost:
                lost = self._lost(part)
                parts = [self._less(one, lost) for one in [*parts, part]]
            except PostgresRefused as refused:
                rule = rule_of(refused.sqlstate)
                if rule.look_again and not looked_again:
                    looked_again = True
                    self._database.look_again()
                    parts.append(part)
                    continue
                match rule.action:
                    case Action.DEAD_LETTER if part.load.tables:
                        parts += self._cut(part, refused)
                    case Action.DEAD_LETTER | Action.STOP | Action.RETRY:
                        raise WriteRefused(f"{refused.summary}. {rule.operator}") from refused
                    case _:
                        assert_never(rule.action)
        self._acknowledged.clear()

    def _bury(self, part: _Part) -> None:
        """Make the part's dead letters durable, unless they are too many in a row."""
        dead = part.load.dead
        if not dead:
            return
        partition, run = longest_run(part.load.batch.records, places(dead), self._in_a_row)
        if partition is not None and run > self._in_a_row_max:
            raise _too_many(partition, f"{run} records, one after the other,", part)
        exceeded = self._rate.exceeded_by(places(dead))
        if exceeded is not None:
            partition, count = exceeded
            raise _too_many(partition, f"{count} of {SPAN} records", part)
        new = [one for one in dead if place_of(one.record) not in self._acknowledged]
        if new:
            self._patiently(
                lambda: self._dead_letters.send(new, at_micros=self._clock.utc_micros())
            )
            self._acknowledged |= places(new)

    def _put(self, part: _Part) -> None:
        """Write a part in one transaction, however long Postgres is away."""
        load, steps = part.load, self._steps(part.load)
        dead = [DeadRow(dead=one, summary=part.summary or one.reason) for one in load.dead]
        began = self._clock.monotonic_seconds()
        rows = self._patiently(lambda: self._database.write(load, dead=dead, steps=steps))
        for partition, step in steps.items():
            self._in_a_row[partition] = step.dead_letters_in_a_row
            self._reached[partition] = step.next_offset
        if load.dead:
            self._rate.note(places(load.dead))
            self._letters_at = 0.0
        self._outcomes.append(
            Written(
                next_offsets=load.next_offsets,
                rows=rows,
                consumed=load.consumed,
                records=len(load.batch.records),
                seconds=self._clock.monotonic_seconds() - began,
                received_at_oldest=load.received_at_oldest,
                dead=Counter(one.reason for one in load.dead),
            )
        )

    def _count_letters(self) -> None:
        """Tell how many letters are open, and forget those that were settled."""
        self._letters_at = self._clock.monotonic_seconds() + LETTERS_SECONDS
        if not self._fences:
            return
        reached = {partition: self._reached[partition] for partition in self._fences}
        found = self._patiently(lambda: self._database.open_letters(reached))
        for partition in reached:
            self._rate.begin(partition, found[partition].lately if partition in found else ())
        self._outcomes.append(Counted(letters=found))

    def _look_after_outage(self) -> None:
        """See whether the server still knows what it told us: it may be another one now."""
        self._came_back = False
        steps = {
            partition: Step(
                fence=fence,
                reached=self._reached[partition],
                next_offset=self._reached[partition],
                dead_letters_in_a_row=self._in_a_row[partition],
            )
            for partition, fence in self._fences.items()
        }
        lost = self._patiently(lambda: self._database.lost(steps))
        if lost:
            self._give_up({one: self._fences[one] for one in lost})

    def _give_up(self, fences: Mapping[Partition, int]) -> None:
        logger("writer").warning("partitions are no longer ours", partitions=len(fences))
        for partition, fence in fences.items():
            if self._fences.get(partition) == fence:
                del self._fences[partition]
        self._outcomes.append(Fenced(fences=fences))

    def _steps(self, load: Load) -> dict[Partition, Step]:
        """How a load moves the offsets of its partitions."""
        in_a_row = runs_after(load.batch.records, places(load.dead), self._in_a_row)
        return {
            partition: Step(
                fence=load.batch.fences[partition],
                reached=self._reached[partition],
                next_offset=next_offset,
                dead_letters_in_a_row=in_a_row[partition],
            )
            for partition, next_offset in load.next_offsets.items()
        }

    def _cut(self, part: _Part, refused: PostgresRefused) -> list[_Part]:
        """The part in two, the earlier half last, to be taken first; a single record as dead."""
        batch = part.load.batch
        if len(batch.records) > 1:
            earlier, later = batch.halves()
            return [_Part(load=self._loaded(later)), _Part(load=self._loaded(earlier))]
        (record,) = batch.records
        place = place_of(record)
        logger("writer").warning(
            "record refused by postgres",
            topic=place.partition.topic,
            partition=place.partition.number,
            offset=place.offset,
            refusal=refused.summary,
        )
        dead = Load(
            batch=batch,
            tables=(),
            dead=(Dead(record=record, reason=refused.sqlstate, stack=frames_of(refused)),),
            consumed=part.load.consumed,
            next_offsets=part.load.next_offsets,
            received_at_oldest=part.load.received_at_oldest,
        )
        return [_Part(load=dead, summary=refused.summary)]

    def _lost(self, part: _Part) -> set[Partition]:
        """The partitions that this part may no longer be written for; the loop is told."""
        steps = self._steps(part.load)
        lost = self._patiently(lambda: self._database.lost(steps))
        self._give_up({one: steps[one].fence for one in lost})
        return lost

    def _less(self, part: _Part, lost: Collection[Partition]) -> _Part:
        rest = part.load.batch.without(lost)
        return _Part(load=self._loaded(rest), summary=part.summary)

    def _loaded(self, batch: Batch) -> Load:
        return self._patiently(lambda: self._reload(batch))

    def _patiently(self, attempt: Callable[[], Answer]) -> Answer:
        """What `attempt` gives, tried again for as long as an outage lasts."""
        failures = 0
        while True:
            try:
                answer = attempt()
            except (PostgresAway, DeadLettersAway, RegistryUnreachable) as away:
                reason, operator = str(away), ""
            except PostgresRefused as refused:
                rule = rule_of(refused.sqlstate)
                if rule.action is not Action.RETRY:
                    raise
                reason, operator = refused.summary, rule.operator
            else:
                if failures:
                    self._came_back = True
                    logger("writer").info("goes on", failed_attempts=failures)
                self._waits_for = ""
                return answer
            failures += 1
            # After a failover the same line may lead to a server that no longer takes writes.
            self._database.close()
            self._waits_for = f"waiting: {reason}"
            pause = BACKOFF.pause_seconds(attempt=failures, jitter=jitter())
            logger("writer").warning(
                "waits",
                reason=reason,
                operator=operator,
                attempt=failures,
                seconds=round(pause, 3),
            )
            if self._finish.wait(pause):
                raise _Abandoned


def _too_many(partition: Partition, what: str, part: _Part) -> TooManyDeadLetters:
    reason = f"{part.load.dead[-1].reason} {part.summary}".strip()
    return TooManyDeadLetters(
        f"{what} of {partition.topic} [{partition.number}] could not be written (the last reason: "
        f"{reason}). Nothing more was dead-lettered. Put the cause right, look at `stripeline "
        "dead-letters list`, and start the sink again."
    )
