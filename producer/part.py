"""One part of `producer run`: a process that is started, asked how it is, and started again."""

import http.client
import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from runtime import logs
from runtime.clock import Clock
from runtime.retry import Backoff, jitter

LOCALHOST: Final = "127.0.0.1"
ANSWER_SECONDS_MAX: Final = 2.0
STEADY_SECONDS: Final = 60.0
"""A part that ran for so long begins again at the shortest pause."""
PAUSES: Final = Backoff(first_seconds=1.0, factor=2.0, pause_seconds_max=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartPlan:
    """What a part is.

    Attributes:
        name: as it is shown; `webhook`.
        arguments: of the `stripeline` command.
    """

    name: str
    arguments: tuple[str, ...]


class Part:
    """The process of one part; used from one thread."""

    def __init__(self, plan: PartPlan, *, clock: Clock) -> None:
        self.name = plan.name
        self._arguments = plan.arguments
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._started_at = 0.0
        self._start_at = 0.0
        self._deaths = 0

    def tend(self) -> bool:
        """Start it where it does not run and its pause is over; whether it was found dead."""
        now = self._clock.monotonic_seconds()
        if self._process is not None:
            code = self._process.poll()
            if code is not None:
                self._note_death(code, now)
            return code is not None
        if now >= self._start_at:
            self._start(now)
        return False

    def unready_reason(self) -> str:
        """What its `/readyz` says; empty when it is ready."""
        if self._process is None or self._process.poll() is not None:
            return "not running"
        try:
            status, said = self._ask("/readyz")
        except (OSError, http.client.HTTPException):
            return "does not answer"
        if status == HTTPStatus.OK:
            return ""
        try:
            return str(json.loads(said)["reason"])
        except (ValueError, KeyError, TypeError):
            return "not ready"

    def metrics(self) -> str:
        """Its metrics as Prometheus reads them; empty where it does not answer."""
        if self._process is None:
            return ""
        try:
            return self._ask("/metrics")[1]
        except (OSError, http.client.HTTPException):
            return ""

    def request_stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def await_end(self, *, seconds_max: float) -> None:
        """Wait until it has ended; by force when its time is up."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            logs.logger("run").error("part did not stop and is killed", part=self.name)
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _start(self, now: float) -> None:
        self._port = _free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "producer.attached", *self._arguments],
            # It ends when the other end of this is closed, which nobody writes to.
            stdin=subprocess.PIPE,
            # Ctrl-C at a terminal reaches every process of the terminal's group at once; the
            # parent stops the parts in their order.
            start_new_session=True,
            env={**os.environ, "HEALTH_HOST": LOCALHOST, "HEALTH_PORT": str(self._port)},
        )
        self._started_at = now
        logs.logger("run").info("part started", part=self.name, process=self._process.pid)

    def _note_death(self, code: int, now: float) -> None:
        self._deaths = 1 if now - self._started_at > STEADY_SECONDS else self._deaths + 1
        pause_seconds = PAUSES.pause_seconds(attempt=self._deaths, jitter=jitter())
        self._start_at = now + pause_seconds
        logs.logger("run").error(
            "part ended and is started again",
            part=self.name,
            exit_code=code,
            pause_seconds=round(pause_seconds, 3),
        )
        self.await_end(seconds_max=0)

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(LOCALHOST, self._port, timeout=ANSWER_SECONDS_MAX)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()


def _free_port() -> int:
    # Somebody may take it before the part does: then the part ends and gets another one.
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return int(probe.getsockname()[1])
