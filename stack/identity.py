"""Which process is which: a number alone may belong to a stranger after a while."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# Places in /proc/PID/stat, counted after the name, which may itself hold blanks and brackets.
STATE, START_TIME = 0, 19
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A process that no other process will ever equal.

    Attributes:
        pid: its number, which the system gives to another process later.
        started: when it started, in the system's own words.
        command: what it was started as.
    """

    pid: int
    started: str
    command: str


def identity_of(pid: int) -> Identity | None:
    """The process that has this number now; none where it is gone or only waits to be reaped."""
    if (PROC / "self" / "stat").exists():
        return _from_proc(pid)
    return _from_ps(pid)


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; false where it is gone, whoever has its number now."""
    if not hasattr(os, "pidfd_open"):
        if identity_of(identity.pid) != identity:
            return False
        return _kill(identity.pid, number)
    try:
        handle = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        # The handle stays with its process: what is checked is what is signalled.
        if identity_of(identity.pid) != identity:
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait_gone(identity: Identity, *, seconds_max: float) -> bool:
    """Whether the process ended within `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while _is_there(identity):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _is_there(identity: Identity) -> bool:
    found = identity_of(identity.pid)
    if found is None or found.started != identity.started:
        return False
    # A process that is ending has lost its command line, but not yet its files and ports.
    return found.command in {identity.command, ""}


def _kill(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _from_proc(pid: int) -> Identity | None:
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        command = (PROC / str(pid) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[STATE] in {"Z", "X"}:
        return None
    words = command.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return Identity(pid=pid, started=fields[START_TIME], command=words)


def _from_ps(pid: int) -> Identity | None:
    told = subprocess.run(
        ["ps", "-o", "state=,lstart=,command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    words = told.stdout.split(maxsplit=6)
    if told.returncode != 0 or len(words) < 7 or words[0].startswith("Z"):
        return None
    return Identity(pid=pid, started=" ".join(words[1:6]), command=words[6].strip())
