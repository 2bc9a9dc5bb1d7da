"""What the writer needs of Postgres, and what it needs of the dead letters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sink.batch import Partition
from sink.claims import Claim, Step
from sink.load import Dead, Load


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadRow:
    """A dead letter for the register, with what may be said of its refusal."""

    dead: Dead
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLetters:
    """The dead letters of one partition that nobody has settled.

    Attributes:
        reasons: how many there are of each reason.
        lately: offsets of those that are not far behind.
    """

    reasons: Mapping[str, int]
    lately: tuple[int, ...]


class Database(Protocol):
    """Postgres as the writer sees it; every method may raise `PostgresAway`, `PostgresRefused`."""

    def migrate(self) -> list[str]:
        """Run the migrations that are missing; their names."""
        ...

    def claim(self, partitions: Collection[Partition]) -> dict[Partition, Claim]:
        """Fence off everybody else from these partitions, and learn where to begin."""
        ...

    def lost(self, steps: Mapping[Partition, Step]) -> set[Partition]:
        """Those partitions that are claimed, or whose offset was moved, by somebody else."""
        ...

    def write(
        self, load: Load, *, dead: Sequence[DeadRow], steps: Mapping[Partition, Step]
    ) -> dict[str, int]:
        """Write a load, its dead letters and offsets, or nothing; rows changed by table."""
        ...

    def open_letters(self, next_offsets: Mapping[Partition, int]) -> dict[Partition, OpenLetters]:
        """What the register has of these partitions; those of which it has none are left out."""
        ...

    def look_again(self) -> None:
        """Forget what is known of the tables."""
        ...

    def close(self) -> None:
        """End the session; the next use opens a new one."""
        ...


class DeadLetters(Protocol):
    """The Kafka topic of dead letters."""

    def send(self, letters: Sequence[Dead], *, at_micros: int) -> None:
        """Hand over dead letters; they are durable when this returns, else `DeadLettersAway`."""
        ...
