"""The local stack: Kafka, then the registry on it, and Postgres; what is given is not started."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from stack import docker, kafka, maven, postgres, registry
from stack.addresses import Addresses, Given
from stack.cache import unpack_tar
from stack.errors import NotFetched, StackError, ToolMissing
from stack.folder import HOST, Folder
from stack.java import RELEASE_MIN, any_java
from stack.progress import Progress
from stack.supervisor import Program, Supervisor

NAMES = (kafka.NAME, registry.NAME, postgres.NAME)


class State(Enum):
    """How a program stands."""

    RUNNING = "running"
    STOPPED = "stopped"
    GIVEN = "given"
    UNREACHABLE = "does not answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of `stack status`."""

    name: str
    state: State
    pid: int | None
    address: str
    log: Path | None


class LocalStack:
    """Kafka, schema registry and Postgres of one data folder."""

    def __init__(self, *, folder: Folder, given: Given, cache: Path, progress: Progress) -> None:
        self.folder = folder
        self._given = given
        self._cache = cache
        self._progress = progress
        self.supervisor = Supervisor(folder)

    def up(self) -> Addresses:
        """Start what is neither given nor running, and wait until all of it answers.

        Raises:
            StackError: a program is missing, could not be fetched or did not start.
        """
        with self.folder.locked():
            if not self._given.kafka:
                self.ensure(kafka.NAME, self._kafka)
            if not self._given.registry:
                self.ensure(registry.NAME, self._registry)
            if not self._given.database:
                self.ensure(postgres.NAME, self._postgres)
                postgres.ensure_database(
                    postgres.url(self.folder, database="postgres"), postgres.DATABASE
                )
        return self.addresses()

    def addresses(self) -> Addresses:
        """Where the parts are, given or local."""
        return Addresses(
            kafka=self._given.kafka or f"{HOST}:{self.folder.port(kafka.NAME)}",
            registry=self._given.registry or registry.url(self.folder.port(registry.NAME)),
            database=self._given.database or postgres.url(self.folder, database=postgres.DATABASE),
        )

    def ensure(self, name: str, make: Callable[[], Program]) -> None:
        """Start the program that `make` gives, unless it runs.

        Raises:
            ProgramFailed: it ended or did not answer in time.
        """
        if self.supervisor.running(name) is not None:
            return
        program = make()
        with self._progress.step(f"Starting {name}"):
            self.supervisor.start(program)

    def down(self) -> list[str]:
        """Stop everything that was started in this folder, the last started first; their names."""
        with self.folder.locked():
            stopped = [told.name for told in self.supervisor.all_running()]
            for name in stopped:
                with self._progress.step(f"Stopping {name}"):
                    self.supervisor.stop(name)
            return stopped

    def remove_data(self) -> None:
        """Forget all data, ports and logs of the folder.

        Raises:
            StackError: something still runs there.
        """
        running = [told.name for told in self.supervisor.all_running()]
        if running:
            raise StackError(f"{', '.join(running)} still run in {self.folder.path}.")
        if docker.answers():
            docker.Docker(self.folder).remove_data()
        shutil.rmtree(postgres.data_folder(self.folder), ignore_errors=True)
        shutil.rmtree(self.folder.path, ignore_errors=True)

    def standings(self) -> list[Standing]:
        """How each part stands, and every other program of the folder."""
        addresses = self.addresses()
        broker = kafka.listens if self._given.kafka else kafka.answers
        parts = (
            (kafka.NAME, self._given.kafka, addresses.kafka, broker),
            (registry.NAME, self._given.registry, addresses.registry, registry.answers),
            (postgres.NAME, self._given.database, addresses.database, postgres.answers),
        )
        known = [
            self._standing(name, given=bool(given), address=address, answers=answers)
            for name, given, address, answers in parts
        ]
        others = [
            Standing(
                name=told.name,
                state=State.RUNNING,
                pid=told.identity.pid,
                address="",
                log=self.folder.log(told.name),
            )
            for told in reversed(self.supervisor.all_running())
            if told.name not in NAMES
        ]
        return known + others

    def _standing(
        self, name: str, *, given: bool, address: str, answers: Callable[[str], bool]
    ) -> Standing:
        told = None if given else self.supervisor.running(name)
        if told is None and not given:
            state = State.STOPPED
        elif not answers(address):
            state = State.UNREACHABLE
        else:
            state = State.GIVEN if given else State.RUNNING
        return Standing(
            name=name,
            state=state,
            pid=None if told is None else told.identity.pid,
            address=address,
            log=None if given else self.folder.log(name),
        )

    def _maven(self) -> maven.Maven:
        return maven.Maven(cache=self._cache, progress=self._progress)

    def _kafka(self) -> Program:
        if not maven.installed():
            return self._docker(kafka.NAME).kafka()
        libraries = self._maven().fetched(
            kafka.NAME, goal="copy-dependencies", prepare=_nothing_more
        )
        java = any_java(self._cache, self._progress)
        return kafka.program(self.folder, java=java, libraries=libraries)

    def _registry(self) -> Program:
        if not maven.installed():
            if self._given.kafka:
                raise ToolMissing(
                    "A registry in a container does not reach the broker of "
                    "KAFKA_BOOTSTRAP_SERVERS. Set SCHEMA_REGISTRY_URL too, or install Maven."
                )
            return self._docker(registry.NAME).registry()
        unpacked = self._maven().fetched(registry.NAME, goal="copy", prepare=_unpack)
        java = any_java(self._cache, self._progress)
        return registry.program(
            self.folder, java=java, unpacked=unpacked, kafka=self.addresses().kafka
        )

    def _postgres(self) -> Program:
        made_by = postgres.data_release(self.folder)
        for binaries in postgres.machine_binaries():
            if made_by in {None, binaries.release}:
                return postgres.program(self.folder, binaries=binaries)
        if made_by not in {None, postgres.embedded_release()}:
            raise ToolMissing(
                f"The data in {postgres.data_folder(self.folder)} was made by PostgreSQL "
                f"{made_by}, which is not on this machine. Install it, or start anew: "
                "stripeline stack down --remove-data"
            )
        if not maven.installed():
            return self._docker(postgres.NAME).postgres()
        binaries = postgres.embedded_binaries(self._maven())
        return postgres.program(self.folder, binaries=binaries)

    def _docker(self, name: str) -> docker.Docker:
        if not docker.answers():
            own = " or PostgreSQL 14 to 18" if name == postgres.NAME else ""
            raise ToolMissing(
                f"To run {name} here, install Maven (`mvn`; Java {RELEASE_MIN} or newer is "
                f"fetched where there is none){own}, or start Docker. Neither is on this machine."
            )
        return docker.Docker(self.folder)


def _nothing_more(_fetched: Path) -> None:
    """What Maven fetched is kept as it is."""


def _unpack(fetched: Path) -> None:
    archive = next(fetched.glob("*.tar.gz"), None)
    if archive is None:
        raise NotFetched("No archive of the registry was fetched.")
    unpack_tar(archive, fetched)
    archive.unlink()
