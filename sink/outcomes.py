"""What the writer tells the loop: values, in the order in which they happened."""

from collections.abc import Mapping
from dataclasses import dataclass

from sink.batch import Partition
from sink.claims import Claim
from sink.database import OpenLetters


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Partitions are fenced off for us, and known is where to begin."""

    claims: Mapping[Partition, Claim]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One transaction was committed.

    Attributes:
        next_offsets: how far its partitions are written now.
        rows: rows inserted or updated, by table.
        consumed: records by topic.
        records: how many records it took off the topics.
        seconds: from the first statement to the commit.
        received_at_oldest: when the oldest record came into the inbox, microseconds; or none.
        dead: how many dead letters there were of each reason.
    """

    next_offsets: Mapping[Partition, int]
    rows: Mapping[str, int]
    consumed: Mapping[str, int]
    records: int
    seconds: float
    received_at_oldest: int | None
    dead: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The open dead letters of every partition that has any."""

    letters: Mapping[Partition, OpenLetters]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """Partitions are no longer ours: their records were dropped, these fences are over."""

    fences: Mapping[Partition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The writer has ended, and why."""

    error: Exception


Outcome = Claimed | Written | Counted | Fenced | Failed
