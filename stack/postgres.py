"""PostgreSQL: the machine's programs, else the embedded ones; never as root, never on a socket."""

import os
import platform
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from stack.cache import kept, unpack_tar, unpack_zip_member
from stack.errors import NotFetched, ProgramFailed, StackError, ToolMissing
from stack.folder import HOST, Folder
from stack.maven import Maven, pom_property
from stack.reach import open_place, reachable
from stack.supervisor import LAST_LINES, Program

NAME = "postgres"
USER = DATABASE = "stripeline"
RELEASE_MIN, RELEASE_MAX = 14, 18
CONNECTIONS_MAX = 200
ANSWER_SECONDS_MAX = 3
INITDB_SECONDS_MAX = 120.0
UNPRIVILEGED = ("postgres", "nobody")
PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A PostgreSQL: the folder of its programs, and its release, for example 17."""

    folder: Path
    release: int


def machine_binaries() -> list[Binaries]:
    """Every usable PostgreSQL of this machine, the newest first."""
    found = {folder.resolve(): None for folder in _candidates() if (folder / "initdb").exists()}
    known = [
        Binaries(folder=folder, release=release)
        for folder in found
        if (release := _release(folder / "postgres")) is not None
        and RELEASE_MIN <= release <= RELEASE_MAX
    ]
    return sorted(known, key=lambda binaries: binaries.release, reverse=True)


def embedded_release() -> int:
    """The release of the embedded programs."""
    return int(pom_property("postgres.version").partition(".")[0])


def embedded_binaries(maven: Maven, *, version: str = "") -> Binaries:
    """The embedded programs for this machine, fetched into the cache.

    Args:
        version: another one than the stack's own, such as `14.24.0`.

    Raises:
        ToolMissing: there are none for this machine, or no Maven.
        NotFetched: they could not be fetched.
    """
    chosen = embedded_platform(sys.platform, platform.machine())

    def prepare(fetched: Path) -> None:
        archive = next(fetched.glob("*.jar"), None)
        if archive is None:
            raise NotFetched(f"No PostgreSQL for {chosen} was fetched.")
        packed = unpack_zip_member(archive, ending=".txz", into=fetched)
        unpack_tar(packed, fetched)
        packed.unlink()
        archive.unlink()

    given = {"postgres.platform": chosen}
    if version:
        given["postgres.version"] = version
    fetched = maven.fetched(NAME, goal="copy-dependencies", prepare=prepare, properties=given)
    user = unprivileged_user()
    if user is not None and not reachable(fetched, user):
        closed = fetched
        fetched = kept(open_place() / "programs" / closed.name, lambda into: _copy(closed, into))
    release = int(version.partition(".")[0]) if version else embedded_release()
    return Binaries(folder=fetched / "bin", release=release)


def embedded_platform(system: str, machine: str) -> str:
    """What the embedded programs are called for this system and processor.

    Raises:
        ToolMissing: there are none.
    """
    systems = {"linux": "linux", "darwin": "darwin"}
    machines = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64v8", "arm64": "arm64v8"}
    if system not in systems or machine.lower() not in machines:
        raise ToolMissing(
            f"There is no embedded PostgreSQL for {system} on {machine}. Install PostgreSQL "
            f"{RELEASE_MIN} to {RELEASE_MAX}, or set DATABASE_URL."
        )
    return f"{systems[system]}-{machines[machine.lower()]}"


def unprivileged_user() -> str | None:
    """Who PostgreSQL runs as where we are root, which it refuses; none where we are not.

    Raises:
        ToolMissing: this machine has no such user.
    """
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return name
    raise ToolMissing("PostgreSQL does not run as root. Add a user named `postgres`.")


def data_release(folder: Folder) -> int | None:
    """The release that made the data; none where there is none yet."""
    place = data_folder(folder) / "PG_VERSION"
    return int(place.read_text()) if place.exists() else None


def data_folder(folder: Folder) -> Path:
    """Where the data lies: in the folder, or in a place that the unprivileged user reaches."""
    usual = folder.data(NAME)
    user = unprivileged_user()
    if user is None or reachable(folder.made().path / "data", user):
        return usual
    name = str(folder.path.resolve()).strip("/").replace("/", "-")
    return open_place() / "data" / name / NAME


def program(folder: Folder, *, binaries: Binaries) -> Program:
    """The server, its data folder made.

    Raises:
        ProgramFailed: the data folder could not be made.
    """
    port = folder.usable_port(NAME)
    data = data_folder(folder)
    if not (data / "PG_VERSION").exists():
        _initialise(folder, binaries, data)
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "max_connections": str(CONNECTIONS_MAX),
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    admin = url(folder, database="postgres")
    return Program(
        name=NAME,
        command=(str(binaries.folder / "postgres"), "-D", str(data), *options),
        working_folder=data if unprivileged_user() is None else Path("/"),
        user=unprivileged_user(),
        answers=lambda: answers(admin),
        # "Fast": the default would wait until every client has gone.
        stop_signal=signal.SIGINT,
    )


def url(folder: Folder, *, database: str = DATABASE) -> str:
    """The address of a database of the local server."""
    return f"postgresql://{USER}:{folder.secret(NAME)}@{HOST}:{folder.port(NAME)}/{database}"


def answers(database_url: str) -> bool:
    """Whether the server takes connections to this database."""
    try:
        with psycopg.connect(database_url, connect_timeout=ANSWER_SECONDS_MAX):
            return True
    except psycopg.OperationalError:
        return False


def ensure_database(admin_url: str, name: str) -> str:
    """The URL of the database `name` of a server, made where it is not there.

    Raises:
        StackError: the server is not there, or does not let us.
    """
    try:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            question = "select from pg_catalog.pg_database where datname = %s"
            if connection.execute(question, [name]).fetchone() is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise StackError(f"The database {name} could not be made: {error}") from error
    return urlsplit(admin_url)._replace(path=f"/{name}").geturl()


def drop_database(admin_url: str, name: str) -> None:
    """Drop the database `name`, whoever is connected to it."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
        connection.execute(drop)


def _candidates() -> Iterable[Path]:
    found = shutil.which("postgres")
    if found is not None:
        yield Path(found).resolve().parent
    for pattern in PLACES:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")))


def _release(server: Path) -> int | None:
    try:
        told = subprocess.run(
            [str(server), "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    return int(found[1]) if found is not None else None


def _initialise(folder: Folder, binaries: Binaries, data: Path) -> None:
    user = unprivileged_user()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = data.with_name(f"{NAME}.password")
    password.write_text(folder.secret(NAME))
    password.chmod(0o600)
    if user is not None:
        shutil.chown(data, user)
        shutil.chown(password, user)
    command = [str(binaries.folder / "initdb"), f"--pgdata={data.resolve()}", f"--username={USER}"]
    command += ["--auth=scram-sha-256", f"--pwfile={password.resolve()}"]
    command += ["--encoding=UTF8", "--no-locale"]
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=INITDB_SECONDS_MAX,
        user=user,
        cwd="/",
    )
    password.unlink()
    if told.returncode != 0:
        shutil.rmtree(data)
        log = folder.log(NAME)
        log.write_text(told.stdout + told.stderr)
        lines = (told.stdout + told.stderr).splitlines()[-LAST_LINES:]
        raise ProgramFailed(
            program=NAME, fault="its data folder could not be made", log=log, last_lines=lines
        )


def _copy(source: Path, into: Path) -> None:
    shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True)
