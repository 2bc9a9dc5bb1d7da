"""The root of every error that stripeline raises, and the exit codes of the command.

    StripelineError
    +-- WrongSetting          a setting is missing or cannot be used (exit code 2)

Each service draws its own tree below `StripelineError` in its `errors.py`.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the command's exit code means."""

    OK = 0
    FAILED = 1
    WRONG_USAGE = 2
    UNREACHABLE = 3
    DIFFERENCE_FOUND = 4
    UNFINISHED = 5


class StripelineError(Exception):
    """Something that the operator should know and can act on; the message says what to do."""

    exit_code: ExitCode = ExitCode.FAILED


class WrongSetting(StripelineError):
    """A setting is missing or cannot be used; the message names it, its fault and an example."""

    exit_code = ExitCode.WRONG_USAGE
