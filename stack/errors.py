"""What can go wrong with the local stack; each message says what to do.

StripelineError
+-- StackError
    +-- ToolMissing     a program that the stack needs is not on this machine
    +-- NotFetched      a program could not be downloaded or unpacked
    +-- ProgramFailed     a program ended or did not answer in time (exit code 3)
    +-- StillRunning    a program did not end, or the folder is used by another command
    +-- WrongRows       the demo's rows differ from what Stripe says (exit code 4)
"""

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import ExitCode, StripelineError


class StackError(StripelineError):
    """The local stack cannot do what was asked."""


class ToolMissing(StackError):
    """A program that the stack needs is not on this machine."""


class NotFetched(StackError):
    """A program could not be downloaded or unpacked."""


class StillRunning(StackError):
    """A program did not end, or another command uses the same folder."""


class WrongRows(StackError):
    """The demo's rows differ from what the simulated Stripe says."""

    exit_code = ExitCode.DIFFERENCE_FOUND


class ProgramFailed(StackError):
    """A program ended or did not answer in time; the message shows its last log lines."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(
        self, *, program: str, fault: str, log: Path, last_lines: Sequence[str] = ()
    ) -> None:
        shown = "".join(f"\n  | {line}" for line in last_lines) or "\n  | (nothing was logged)"
        super().__init__(f"{program}: {fault}. Its last log lines:{shown}\nLog: {log}")
