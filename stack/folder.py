"""One data folder: where each program keeps its data, its log, its pid file and its port."""

import fcntl
import json
import os
import secrets
import socket
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError, StillRunning

HOST = "127.0.0.1"
# Below the ports that systems hand out for outgoing connections, so that a remembered port is
# still free the next day.
PORT_MIN, PORT_MAX = 20_000, 29_999
PORT_STEP = 61


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A data folder; two of them share nothing, so that tests never touch a running demo."""

    path: Path

    def __post_init__(self) -> None:
        # The programs have working folders of their own.
        assert self.path.is_absolute()

    @property
    def pid_files(self) -> Path:
        """Where the pid files lie."""
        return self.path / "run"

    def log(self, program: str) -> Path:
        """The log of `program`."""
        return self.path / "logs" / f"{program}.log"

    def data(self, program: str) -> Path:
        """The folder that `program` keeps its data in."""
        return self.path / "data" / program

    def made(self) -> "Folder":
        """The same folder, there now."""
        for part in (self.path, self.pid_files, self.path / "logs", self.path / "data"):
            part.mkdir(parents=True, exist_ok=True)
        return self

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one command.

        Raises:
            StillRunning: another command holds it.
        """
        with (self.made().path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StillRunning(
                    f"Another command is starting or stopping the stack in {self.path}. "
                    "Wait until it has ended."
                ) from error
            yield

    def port(self, name: str) -> int:
        """The port remembered for `name`; the first time, one that is free."""
        ports = self._ports()
        if name not in ports:
            ports[name] = self._free_port(name, taken=set(ports.values()))
            self._remember(ports)
        return ports[name]

    def usable_port(self, name: str) -> int:
        """The port for `name`, which does not run now; a new one if the remembered is taken."""
        if not is_free(self.port(name)):
            ports = self._ports()
            ports[name] = self._free_port(name, taken=set(ports.values()))
            self._remember(ports)
        return self.port(name)

    def secret(self, name: str) -> str:
        """A random word remembered for `name`, readable by its owner alone."""
        place = self.made().path / f"{name}.secret"
        if not place.exists():
            handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as written:
                written.write(secrets.token_hex(16))
        return place.read_text()

    def _ports(self) -> dict[str, int]:
        place = self.path / "ports.json"
        return dict(json.loads(place.read_text())) if place.exists() else {}

    def _remember(self, ports: dict[str, int]) -> None:
        place = self.made().path / "ports.json"
        fresh = place.with_suffix(".new")
        fresh.write_text(json.dumps(ports, indent=2, sort_keys=True) + "\n")
        fresh.replace(place)

    def _free_port(self, name: str, *, taken: set[int]) -> int:
        count = PORT_MAX - PORT_MIN + 1
        start = zlib.crc32(f"{self.path.resolve()}/{name}".encode()) % count
        for tried in range(count):
            port = PORT_MIN + (start + tried * PORT_STEP) % count
            if port not in taken and is_free(port):
                return port
        raise StackError(f"No port between {PORT_MIN} and {PORT_MAX} is free on {HOST}.")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # A server's closed connections linger for a minute; they do not keep the port from it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
