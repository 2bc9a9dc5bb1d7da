"""The root of every error that stripeline raises, and the exit codes of the command.

    StripelineError
    +-- WrongSetting          a setting is missing or cannot be used (exit code 2)

Each service draws its own tree below `StripelineError` in its `errors.py`.
"""

import traceback
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


FRAMES_MAX = 30


def frames_of(error: BaseException) -> str:
    """Where in the code an error and its causes arose, a frame a line, the latest last.

    Neither messages nor values: they may repeat what stands in a body.
    """
    lines: list[str] = []
    link: BaseException | None = error
    while link is not None:
        found = [
            f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}:{line}"
            for frame, line in traceback.walk_tb(link.__traceback__)
        ]
        lines = [*found, type(link).__name__, *lines]
        link = link.__cause__
    return "\n".join(lines[-FRAMES_MAX:])
