"""A PgBouncer of a test's own, in session mode, in front of the stack's Postgres."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from stack.postgres import unprivileged_user
from tests.end_to_end.services import eventually
from tests.sink.servers import HOST, folders

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0
POOL_SIZE = 6


def pgbouncer() -> str:
    """The program; skips where it is not installed."""
    # Debian puts it where only root looks.
    found = shutil.which("pgbouncer") or shutil.which(
        "pgbouncer", path="/usr/sbin:/usr/local/sbin"
    )
    if found is None:
        pytest.skip("There is no PgBouncer: `apt-get install pgbouncer`, or `brew install` it.")
    return found


class Pooler:
    """PgBouncer on a port of its own.

    Args:
        address: of the Postgres behind it.
        port: that it listens on.
        log: what it says.
    """

    def __init__(self, address: str, *, port: int, log: Path) -> None:
        self._parts = urlsplit(address)
        self._port = port
        self._log = log

    def url(self, direct: str) -> str:
        """The address of the same database by way of the pooler."""
        parts = urlsplit(direct)
        credentials = parts.netloc.rsplit("@", 1)[0]
        return parts._replace(netloc=f"{credentials}@{HOST}:{self._port}").geturl()

    def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            with psycopg.connect(self.url(self._parts.geturl()), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def log(self) -> str:
        """The last of what it said."""
        return self._log.read_text()[-2_000:] if self._log.exists() else ""


@contextmanager
def pooling(address: str, tmp_path: Path, **settings: str) -> Iterator[Pooler]:
    """A running PgBouncer in front of a Postgres.

    Args:
        settings: more of its `[pgbouncer]` section.
    """
    program, user, parts = pgbouncer(), unprivileged_user(), urlsplit(address)
    with folders(tmp_path) as make:
        folder, port = make(), _free_port()
        users = folder / "users"
        users.write_text(f'"{parts.username}" "{unquote(parts.password or "")}"\n')
        given = {
            "listen_addr": HOST,
            "listen_port": str(port),
            "unix_socket_dir": "",
            "auth_type": "trust",
            "auth_file": str(users),
            "pool_mode": "session",
            "default_pool_size": str(POOL_SIZE),
            **settings,
        }
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\n* = host={parts.hostname} port={parts.port}\n[pgbouncer]\n"
            + "".join(f"{name} = {value}\n" for name, value in given.items())
        )
        for place in (folder, users, configuration):
            place.chmod(0o700)
            if user is not None:
                shutil.chown(place, user)
        pooler = Pooler(address, port=port, log=tmp_path / "pgbouncer.log")
        with (tmp_path / "pgbouncer.log").open("wb") as log:
            process = subprocess.Popen(
                [program, str(configuration)], stdout=log, stderr=log, user=user, cwd="/"
            )
        try:
            eventually(
                pooler.answers,
                seconds_max=START_SECONDS_MAX,
                what="PgBouncer answers",
                more=pooler.log,
            )
            yield pooler
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
