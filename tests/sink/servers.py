"""Postgres servers of a test's own: of a chosen release, with TLS, or as a standby."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from stack.errors import StackError
from stack.maven import Maven
from stack.postgres import PLACES, Binaries, embedded_binaries, machine_binaries, unprivileged_user
from stack.progress import Silent
from stack.reach import open_place, reachable
from stack.settings import StackSettings
from tests.end_to_end.services import eventually

RELEASES = {14: "14.24.0", 15: "15.19.0", 16: "16.15.0", 17: "17.11.0", 18: "18.6.0"}
"""By release, the version of the embedded programs that is fetched where the machine has none."""
CHOICE = "STRIPELINE_TEST_POSTGRES"
HOST = "127.0.0.1"
USER = "owner"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    # A test's data need not outlive a power cut.
    "fsync": "off",
}


def chosen_releases() -> list[int]:
    """The oldest and the newest, or what the environment asks for: `all`, or `15,16`."""
    asked = os.environ.get(CHOICE, "")
    if asked == "all":
        return sorted(RELEASES)
    chosen = asked.split(",") if asked else [str(min(RELEASES)), str(max(RELEASES))]
    if unknown := set(chosen) - {str(release) for release in RELEASES}:
        raise pytest.UsageError(
            f"{CHOICE} names {', '.join(sorted(unknown))}; give `all`, or some of "
            f"{', '.join(map(str, RELEASES))}, separated by commas."
        )
    return [int(one) for one in chosen]


def binaries_of(release: int) -> Binaries:
    """The programs of a release: the machine's, else embedded ones; skips where there are none."""
    for found in machine_binaries():
        if found.release == release:
            return found
    maven = Maven(cache=StackSettings().stack_cache, progress=Silent())
    try:
        return embedded_binaries(maven, version=RELEASES[release])
    except StackError as error:
        pytest.skip(
            f"PostgreSQL {release} is not on this machine (`apt-get install "
            f"postgresql-{release}` puts it under {PLACES[0]}), and version "
            f"{RELEASES[release]} could not be fetched: {error}"
        )


def any_binaries() -> Binaries:
    """The machine's newest programs, else embedded ones."""
    found = machine_binaries()
    return found[0] if found else binaries_of(max(RELEASES))


class Server:
    """One server on a port of its own, trusting whoever comes from this machine.

    Args:
        binaries: its programs.
        folder: where its data lie or will lie; the server's user can enter it.
    """

    def __init__(self, binaries: Binaries, *, folder: Path) -> None:
        self.data = folder / "data"
        self._binaries = binaries
        self._log = folder / "log"
        self._user = unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()

    def initialise(self) -> None:
        """Make the data folder."""
        self._own(self.data.parent)
        command = [str(self._binaries.folder / "initdb"), "-D", str(self.data), "-U", USER]
        command += ["--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
        subprocess.run(command, check=True, capture_output=True, user=self._user, cwd="/")

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Start it, and wait until it answers."""
        given = {**SETTINGS, "port": str(self.port), **(settings or {})}
        options = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries.folder / "postgres", "-D", self.data, *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd="/",
            )
        eventually(
            self.answers, seconds_max=START_SECONDS_MAX, what="Postgres answers", more=self.log
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it in order, or with SIGQUIT as a crash would."""
        if self._process is not None:
            process, self._process = self._process, None
            process.send_signal(how)
            process.wait(STOP_SECONDS_MAX)

    def standby(self, folder: Path, *, primary: str) -> "Server":
        """A standby that begins with a copy of the data of this server, which must be stopped.

        Args:
            primary: `host:port` that it follows.
        """
        assert self._process is None
        host, _, port = primary.partition(":")
        made = Server(self._binaries, folder=folder)
        self._own(folder)
        shutil.copytree(self.data, made.data)
        (made.data / "standby.signal").touch()
        with (made.data / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"primary_conninfo = 'host={host} port={port} user={USER}'\n"
                # It tries again at once when the line was cut.
                "wal_retrieve_retry_interval = 100\n"
            )
        for place in [made.data, *made.data.rglob("*")]:
            self._own(place)
        return made

    def promote(self) -> None:
        """Make a standby take writes."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("select pg_promote()")

    def answers(self) -> bool:
        """Whether it takes connections."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def url(self, database: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://{USER}@{HOST}:{self.port}/{database}"

    def log(self) -> str:
        """The last of what it said."""
        return self._log.read_text()[-2_000:] if self._log.exists() else ""

    def give(self, name: str, content: bytes) -> Path:
        """Put a file that only the server's user may read into the data folder."""
        place = self.data / name
        place.write_bytes(content)
        place.chmod(0o600)
        self._own(place)
        return place

    def _own(self, place: Path) -> None:
        if self._user is not None:
            shutil.chown(place, self._user, self._user)


FolderMaker = Callable[[], Path]


@contextmanager
def folders(tmp_path: Path) -> Iterator[FolderMaker]:
    """Makes empty folders that the server's user can enter; they are removed afterwards."""
    user = unprivileged_user()
    with ExitStack() as made:

        def make() -> Path:
            usual = user is None or reachable(tmp_path, user)
            place = tempfile.mkdtemp(prefix="server-", dir=tmp_path if usual else open_place())
            made.callback(shutil.rmtree, place, ignore_errors=True)
            return Path(place)

        yield make


@contextmanager
def server_of(binaries: Binaries, tmp_path: Path) -> Iterator[Server]:
    """A running server with fresh data."""
    with folders(tmp_path) as make:
        server = Server(binaries, folder=make())
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
