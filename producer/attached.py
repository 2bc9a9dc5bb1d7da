"""Runs the `stripeline` command as a part of `producer run`: it ends when its parent does.

The parent holds the other end of standard input and never writes. Whatever becomes of the parent,
the system closes that end: this works where a signal of the parent's death does not exist.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

STOP_SECONDS_MAX: Final = 30.0
STANDARD_INPUT: Final = 0


def main() -> None:
    """Run the command that the arguments name."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    sys.argv[0] = "stripeline"
    runpy.run_module("stripeline", run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    """Stop in order once standard input is closed; by force if that takes too long."""
    with contextlib.suppress(OSError):
        while os.read(STANDARD_INPUT, 1):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS_MAX)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
