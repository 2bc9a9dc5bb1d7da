"""What `stripeline doctor` found: one line per thing looked at, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from runtime.errors import ExitCode


class Verdict(Enum):
    """How a thing stands."""

    FINE = "fine"
    NOTE = "note"
    """Works, or is not there yet; worth knowing."""
    WRONG = "wrong"
    """Answers, but is not as it should be."""
    UNREACHABLE = "unreachable"
    """Does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        part: `Settings`, `Kafka`, `Registry`, `Postgres` or `Stripe`.
        subject: what of the part.
        words: what was seen; never a secret.
        advice: what to do; empty when there is nothing to do.
    """

    part: str
    subject: str
    verdict: Verdict
    words: str
    advice: str = ""

    def __post_init__(self) -> None:
        must_advise = self.verdict in (Verdict.WRONG, Verdict.UNREACHABLE)
        assert self.advice or not must_advise, f"{self.subject}: say what to do"


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """The worst finding as an exit code; a wrong thing may be why another is unreachable."""
    worst = ExitCode.OK
    for finding in findings:
        match finding.verdict:
            case Verdict.FINE | Verdict.NOTE:
                pass
            case Verdict.UNREACHABLE:
                worst = max(worst, ExitCode.UNREACHABLE)
            case Verdict.WRONG:
                return ExitCode.WRONG_USAGE
            case _:
                assert_never(finding.verdict)
    return worst


def counted(number: int, noun: str) -> str:
    """`1 table`, `2 tables`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
