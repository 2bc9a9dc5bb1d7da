"""Start programs detached, remember them in pid files, and stop only what was started here."""

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stack.errors import ProgramFailed, StillRunning
from stack.folder import Folder
from stack.identity import Identity, identity_of, send, wait_gone

POLL_SECONDS = 0.1
STOP_SECONDS_MAX = 30.0
KILL_SECONDS_MAX = 10.0
LAST_LINES = 15
LAST_BYTES = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to start.

    Attributes:
        answers: whether it does its work now; called again and again until it does.
        user: the user it runs as, where that is not ours.
        stop_signal: what it takes as the wish to end in order.
    """

    name: str
    command: tuple[str, ...]
    answers: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: Path | None = None
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    start_seconds_max: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a pid file tells: which process, how it is stopped, and when it was started."""

    name: str
    identity: Identity
    stop_signal: signal.Signals
    started_nanoseconds: int


class Supervisor:
    """The programs of one data folder."""

    def __init__(self, folder: Folder, *, stop_seconds_max: float = STOP_SECONDS_MAX) -> None:
        self._folder = folder
        self._stop_seconds_max = stop_seconds_max
        # Kept so that children of a long command are reaped, and their exit codes known.
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def running(self, name: str) -> Started | None:
        """The program as it runs now; none where it does not, or its pid belongs to another."""
        told = self._read(self._pid_file(name))
        if told is None or identity_of(told.identity.pid) != told.identity:
            return None
        return told

    def all_running(self) -> list[Started]:
        """All programs that run, the last started first."""
        names = [place.stem for place in self._folder.pid_files.glob("*.pid")]
        found = [told for name in names if (told := self.running(name)) is not None]
        return sorted(found, key=lambda told: told.started_nanoseconds, reverse=True)

    def was_stopped(self, name: str) -> bool:
        """Whether it was stopped, here or by another command, rather than ended by itself."""
        return not self._pid_file(name).exists() or self._stop_file(name).exists()

    def start(self, program: Program) -> None:
        """Start the program and wait until it answers.

        Raises:
            ProgramFailed: it ended or did not answer in time; it is stopped again.
        """
        assert self.running(program.name) is None
        log = self._folder.made().log(program.name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        self._stop_file(program.name).unlink(missing_ok=True)
        child = self._spawn(program, log)
        self._children[program.name] = child
        try:
            self._wait_until_it_answers(program, child, log)
        except BaseException:
            self.stop(program.name)
            raise

    def stop(self, name: str) -> bool:
        """End the program, in order if it can; whether it ran.

        Raises:
            StillRunning: it did not end, even when it was killed.
        """
        told = self.running(name)
        if told is not None:
            # Before the signal: who finds it gone in between must not take it for a crash.
            self._stop_file(name).touch()
            self._end(told)
        self._pid_file(name).unlink(missing_ok=True)
        self._stop_file(name).unlink(missing_ok=True)
        child = self._children.pop(name, None)
        if child is not None:
            child.wait()
        return told is not None

    def let_go(self) -> None:
        """Leave what was started here to others, who find it by its pid files."""
        for child in self._children.values():
            # Else it would be taken for forgotten, and Python would warn of it.
            child.returncode = 0
        self._children.clear()

    def _end(self, told: Started) -> None:
        send(told.identity, told.stop_signal)
        if wait_gone(told.identity, seconds_max=self._stop_seconds_max):
            return
        send(told.identity, signal.SIGKILL)
        if not wait_gone(told.identity, seconds_max=KILL_SECONDS_MAX):
            raise StillRunning(f"{told.name} (process {told.identity.pid}) does not end.")

    def _spawn(self, program: Program, log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            try:
                child = subprocess.Popen(
                    program.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **program.environment},
                    cwd=program.working_folder,
                    user=program.user,
                    group=None if program.user is None else pwd.getpwnam(program.user).pw_gid,
                    extra_groups=None if program.user is None else [],
                    # A session of its own: neither Ctrl-C nor a closed terminal reaches it.
                    start_new_session=True,
                )
            except OSError as error:
                raise ProgramFailed(program=program.name, fault=str(error), log=log) from error
        identity = identity_of(child.pid)
        while identity is not None and not identity.command:
            # The system shows the new command a moment after the start.
            time.sleep(0.001)
            identity = identity_of(child.pid)
        if identity is None:
            raise _failed(program, f"it ended with exit code {child.wait()}", log)
        self._write(program, identity)
        return child

    def _wait_until_it_answers(
        self, program: Program, child: subprocess.Popen[bytes], log: Path
    ) -> None:
        deadline = time.monotonic() + program.start_seconds_max
        while not program.answers():
            code = child.poll()
            if code is not None:
                raise _failed(program, f"it ended with exit code {code}", log)
            if time.monotonic() >= deadline:
                fault = f"it did not answer within {program.start_seconds_max:.0f} s"
                raise _failed(program, fault, log)
            time.sleep(POLL_SECONDS)
        code = child.poll()
        if code is not None:
            # Something answers on its port, but not the program.
            raise _failed(program, f"it ended with exit code {code}", log)

    def _pid_file(self, name: str) -> Path:
        return self._folder.pid_files / f"{name}.pid"

    def _stop_file(self, name: str) -> Path:
        return self._folder.pid_files / f"{name}.stopping"

    def _write(self, program: Program, identity: Identity) -> None:
        told = {
            "name": program.name,
            "identity": asdict(identity),
            "stop_signal": program.stop_signal.name,
            "started_nanoseconds": time.time_ns(),
        }
        self._pid_file(program.name).write_text(json.dumps(told, indent=2) + "\n")

    def _read(self, place: Path) -> Started | None:
        try:
            told = json.loads(place.read_text())
            return Started(
                name=told["name"],
                identity=Identity(**told["identity"]),
                stop_signal=signal.Signals[told["stop_signal"]],
                started_nanoseconds=told["started_nanoseconds"],
            )
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # A pid file cut short names no process; nothing is signalled because of it.
            return None


def last_lines(log: Path) -> list[str]:
    """The end of a log, at most `LAST_LINES` lines; empty where there is none."""
    if not log.exists():
        return []
    with log.open("rb") as opened:
        opened.seek(max(0, log.stat().st_size - LAST_BYTES))
        text = opened.read().decode(errors="replace")
    return text.splitlines()[-LAST_LINES:]


def _failed(program: Program, fault: str, log: Path) -> ProgramFailed:
    return ProgramFailed(program=program.name, fault=fault, log=log, last_lines=last_lines(log))
