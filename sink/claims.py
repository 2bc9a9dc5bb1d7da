"""A claim on a partition: where reading begins, the fence that goes with it, and a step ahead."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a claim on a partition found and got.

    Attributes:
        next_offset: where reading begins; 0 for a partition that was never read.
        fence: our number; whoever claims later gets a higher one, and ours ends.
        dead_letters_in_a_row: how many records before `next_offset` could not be written.
        died_lately: offsets, not far before `next_offset`, of records that could not.
    """

    next_offset: int
    fence: int
    dead_letters_in_a_row: int
    died_lately: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How a transaction moves one partition's offset.

    Attributes:
        fence: the number of our claim.
        reached: where the offset stands before, as far as we know.
        next_offset: where it stands afterwards.
        dead_letters_in_a_row: how many records before `next_offset` could not be written.
    """

    fence: int
    reached: int
    next_offset: int
    dead_letters_in_a_row: int
