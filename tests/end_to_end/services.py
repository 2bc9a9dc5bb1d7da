"""Runs stripeline's own commands as processes, as an operator does, and reads their logs."""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 30.0
END_SECONDS_MAX = 90.0
POLL_SECONDS = 0.02


def eventually(
    claim: Callable[[], bool], *, seconds_max: float, what: str, more: Callable[[], str] = str
) -> None:
    """Wait until the claim holds; fail with `what` when it does not within `seconds_max`.

    `more` is asked for what else there is to say, when it failed.
    """
    deadline = time.monotonic() + seconds_max
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds_max:.0f} s: {what}\n{more()}")
        time.sleep(POLL_SECONDS)


class Service:
    """One `stripeline` command in a process of its own."""

    def __init__(
        self, *arguments: str, environment: Mapping[str, str], folder: Path, name: str
    ) -> None:
        self.name = name
        self._arguments = arguments
        self._environment = {**os.environ, **environment, "HEALTH_PORT": "0"}
        self._log_path = folder / f"{name}.log"
        self._said: dict[str, Any] = {}
        self._change = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> "Service":
        """Start the process and wait until `/readyz` answers 200."""
        self.launch()
        return self.await_ready()

    def await_ready(self) -> "Service":
        """Wait until `/readyz` answers 200."""
        eventually(
            self.is_ready,
            seconds_max=START_SECONDS_MAX,
            what=f"{self.name} is ready",
            more=self._failure,
        )
        return self

    def launch(self) -> None:
        """Start the process without waiting."""
        assert self._process is None
        self._said = {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "stripeline", *self._arguments],
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    @property
    def process_id(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash would: SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> int:
        """Ask it to stop with SIGTERM; its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{self.name} did not stop within {STOP_SECONDS_MAX} s") from None

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        code = process.wait(END_SECONDS_MAX)
        assert self._reader is not None
        self._reader.join()
        return code

    def pause(self) -> None:
        """Let it stand still, as on an overloaded machine: SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it if it still runs."""
        if self._process is not None:
            self.stop()

    def said(self, field: str) -> Any:
        """The latest value of a field in its log lines; waits for it."""
        with self._change:
            self._change.wait_for(lambda: field in self._said, START_SECONDS_MAX)
            assert field in self._said, self._failure()
            return self._said[field]

    def metric(self, name: str) -> float:
        """The sum of all series of a metric, from `/metrics`."""
        text = _get(f"http://127.0.0.1:{self.said('health_port')}/metrics").text
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def log(self) -> str:
        """Everything that it logged."""
        return self._log_path.read_text() if self._log_path.exists() else ""

    def await_unready(self, *, seconds_max: float) -> None:
        """Wait until `/readyz` says that it cannot work."""
        eventually(
            lambda: not self.is_ready(),
            seconds_max=seconds_max,
            what=f"{self.name} says that it cannot work",
        )

    def is_ready(self) -> bool:
        """Whether `/readyz` answers 200."""
        assert self._process is not None
        assert self._process.poll() is None, self._failure()
        port = self._said.get("health_port")
        if port is None:
            return False
        try:
            return _get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _failure(self) -> str:
        tail = "\n".join(self.log().splitlines()[-15:])
        return f"{self.name} is not ready; its last log lines:\n{tail}"

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        speaker = ""
        with process.stderr as lines, self._log_path.open("ab") as log:
            for line in lines:
                log.write(line)
                log.flush()
                try:
                    fields = json.loads(line)
                except ValueError:
                    continue
                # A service that starts others shows their lines too, after its own first one.
                speaker = speaker or fields.get("service", "")
                if fields.get("service", "") != speaker:
                    continue
                with self._change:
                    self._said.update(fields)
                    self._change.notify_all()


@contextmanager
def running(*services: Service) -> Iterator[None]:
    """Start the services side by side and stop them in reverse, whatever happens between."""
    try:
        for service in services:
            service.launch()
        for service in services:
            service.await_ready()
        yield
    finally:
        for service in reversed(services):
            service.close()


def _get(url: str) -> httpx.Response:
    return httpx.get(url, verify=_NO_CERTIFICATES)


_NO_CERTIFICATES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Loading those of the machine for each question took 40 ms of a core, beside what is measured."""
