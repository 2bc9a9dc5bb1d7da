"""The doctor's exit code tells the worst that was found."""

import pytest

from runtime.errors import ExitCode
from stripeline.findings import Finding, Verdict, exit_code


def finding(verdict: Verdict) -> Finding:
    return Finding(part="Kafka", subject="x", verdict=verdict, words="seen", advice="do this")


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((), ExitCode.OK),
        ((Verdict.FINE, Verdict.NOTE), ExitCode.OK),
        ((Verdict.FINE, Verdict.UNREACHABLE), ExitCode.UNREACHABLE),
        ((Verdict.WRONG, Verdict.FINE), ExitCode.WRONG_USAGE),
        ((Verdict.UNREACHABLE, Verdict.WRONG), ExitCode.WRONG_USAGE),
        ((Verdict.WRONG, Verdict.UNREACHABLE), ExitCode.WRONG_USAGE),
    ],
)
def test_the_exit_code_is_that_of_the_worst_finding(
    verdicts: tuple[Verdict, ...], code: ExitCode
) -> None:
    assert exit_code(map(finding, verdicts)) is code


@pytest.mark.parametrize("verdict", [Verdict.WRONG, Verdict.UNREACHABLE])
def test_a_fault_without_advice_is_our_mistake(verdict: Verdict) -> None:
    with pytest.raises(AssertionError, match="say what to do"):
        Finding(part="Kafka", subject="x", verdict=verdict, words="seen")
