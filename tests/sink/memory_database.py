"""A database in memory that refuses, stays away or is fenced, as a test wishes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sink.batch import Partition, Place, place_of
from sink.claims import Claim, Step
from sink.database import DeadRow, OpenLetters
from sink.errors import DeadLettersAway, FenceLost, PostgresAway, PostgresRefused
from sink.load import Dead, Load, places


@dataclass(slots=True, kw_only=True)
class MemoryDatabase:
    """Keeps what was committed.

    Attributes:
        poison: the SQLSTATE with which records at these places are refused.
        register_refuses: the SQLSTATE with which every dead letter is refused; none is if empty.
        away: so many calls of `write` fail before one is tried.
        lost_partitions: another sink has claimed them.
        in_a_row, died_lately: what `claim` says of each partition.
        rows: places of the records that became rows, in order.
        dead: places and summaries of those in the register.
        looked_again: how often the tables were forgotten.
    """

    poison: dict[Place, str] = field(default_factory=dict)
    register_refuses: str = ""
    away: int = 0
    lost_partitions: set[Partition] = field(default_factory=set)
    in_a_row: dict[Partition, int] = field(default_factory=dict)
    died_lately: dict[Partition, tuple[int, ...]] = field(default_factory=dict)
    rows: list[Place] = field(default_factory=list)
    dead: dict[Place, str] = field(default_factory=dict)
    next_offsets: dict[Partition, int] = field(default_factory=dict)
    looked_again: int = 0
    transactions: int = 0

    def migrate(self) -> list[str]:
        return []

    def claim(self, partitions: Collection[Partition]) -> dict[Partition, Claim]:
        return {
            partition: Claim(
                next_offset=self.next_offsets.get(partition, 0),
                fence=1,
                dead_letters_in_a_row=self.in_a_row.get(partition, 0),
                died_lately=self.died_lately.get(partition, ()),
            )
            for partition in partitions
        }

    def lost(self, steps: Mapping[Partition, Step]) -> set[Partition]:
        return self.lost_partitions & steps.keys()

    def write(
        self, load: Load, *, dead: Sequence[DeadRow], steps: Mapping[Partition, Step]
    ) -> dict[str, int]:
        if self.away:
            self.away -= 1
            raise PostgresAway("the line was cut")
        if self.lost_partitions & steps.keys():
            raise FenceLost("another sink")
        skipped = places(load.dead)
        written = [
            place for record in load.batch.records if (place := place_of(record)) not in skipped
        ]
        for place in written:
            if place in self.poison:
                raise PostgresRefused(sqlstate=self.poison[place], summary=self.poison[place])
        if dead and self.register_refuses:
            raise PostgresRefused(sqlstate=self.register_refuses, summary="the register")
        self.rows += written
        self.dead |= {place_of(one.dead.record): one.summary for one in dead}
        for partition, step in steps.items():
            assert step.reached == self.next_offsets.get(partition, 0)
            self.in_a_row[partition] = step.dead_letters_in_a_row
            self.next_offsets[partition] = step.next_offset
        self.transactions += 1
        return {"ticket": len(written)}

    def open_letters(self, next_offsets: Mapping[Partition, int]) -> dict[Partition, OpenLetters]:
        found: dict[Partition, OpenLetters] = {}
        for partition in next_offsets:
            offsets = [place.offset for place in self.dead if place.partition == partition]
            offsets += self.died_lately.get(partition, ())
            if offsets:
                found[partition] = OpenLetters(
                    reasons={"dead": len(offsets)}, lately=tuple(offsets)
                )
        return found

    def look_again(self) -> None:
        self.looked_again += 1

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True, kw_only=True)
class MemoryDeadLetters:
    """Keeps dead letters; fails so many times first."""

    away: int = 0
    letters: list[Dead] = field(default_factory=list)

    def send(self, letters: Sequence[Dead], *, at_micros: int) -> None:
        assert at_micros > 0
        if self.away:
            self.away -= 1
            raise DeadLettersAway("no acknowledgement")
        self.letters += letters
