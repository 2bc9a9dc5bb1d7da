"""Kafka Connect with Debezium's JDBC sink, as one process of this machine.

The jars come through Maven, once, into the cache that the stack uses; `pom.xml` beside this file
names them.
"""

import socket
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from stack.cache import default_cache, unpack_tar
from stack.errors import NotFetched
from stack.java import any_java
from stack.maven import Maven
from stack.progress import Silent
from tests.end_to_end.services import eventually

POM = Path(__file__).with_name("pom.xml")
START_SECONDS_MAX = 180.0
ANSWER_SECONDS_MAX = 10.0
SINK_CLASS = "io.debezium.connector.jdbc.JdbcSinkConnector"
CONVERTER = "org.apache.kafka.connect.storage.Converter"
CONVERTER_CLASS = "io.apicurio.registry.utils.converter.AvroConverter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is needed to run a worker: a Java, and two folders of jars."""

    java: str
    worker: Path
    plugins: tuple[Path, ...]


def installed() -> Installed:
    """Fetch what is not there yet.

    Raises:
        StackError: there is no Maven or no Java, or something could not be fetched.
    """
    progress = Silent()
    maven = Maven(cache=default_cache(), progress=progress, pom=POM)
    worker = maven.fetched("connect", goal="copy-dependencies", prepare=_as_it_is)
    converter = maven.fetched("converter", goal="copy-dependencies", prepare=_as_plugin)
    debezium = maven.fetched("debezium", goal="copy", prepare=_unpacked)
    return Installed(
        java=any_java(default_cache(), progress).program,
        worker=worker,
        plugins=(debezium, converter),
    )


class Worker:
    """A worker that runs, with the address of its HTTP interface."""

    def __init__(self, process: "subprocess.Popen[bytes]", *, port: int, log: Path) -> None:
        self._process = process
        self._url = f"http://127.0.0.1:{port}/connectors"
        self._log = log

    @property
    def process_id(self) -> int:
        """Of the Java process."""
        return self._process.pid

    def log(self) -> str:
        """The end of what it logged."""
        return "\n".join(self._log.read_text().splitlines()[-40:])

    def begin(self, name: str, settings: Mapping[str, str]) -> None:
        """Make a connector, standing still."""
        self._ask("POST", "", {"name": name, "config": settings, "initial_state": "PAUSED"})

    def resume(self, name: str) -> None:
        """Let a connector work."""
        self._ask("PUT", f"/{name}/resume")

    def pause(self, name: str) -> None:
        """Let a connector stand still."""
        self._ask("PUT", f"/{name}/pause")
        eventually(
            lambda: self._states(name) == {"PAUSED"},
            seconds_max=START_SECONDS_MAX,
            what=f"{name} is paused",
            more=self.log,
        )

    def failure(self, name: str) -> str:
        """What ended a task, or nothing."""
        tasks = self._ask("GET", f"/{name}/status")["tasks"]
        return "\n".join(task["trace"] for task in tasks if task["state"] == "FAILED")

    def answers(self) -> bool:
        """Whether it takes requests."""
        assert self._process.poll() is None, self.log()
        try:
            return httpx.get(self._url).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def _states(self, name: str) -> set[str]:
        return {task["state"] for task in self._ask("GET", f"/{name}/status")["tasks"]}

    def _ask(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> Any:
        answer = httpx.request(method, self._url + path, json=told, timeout=ANSWER_SECONDS_MAX)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@contextmanager
def running(
    parts: Installed, *, kafka: str, folder: Path, options: tuple[str, ...]
) -> Iterator[Worker]:
    """A worker of one process, ended afterwards.

    Args:
        kafka: the brokers.
        folder: for its files and its log.
        options: for Java.
    """
    port = _free_port()
    told = folder / "worker.properties"
    told.write_text(
        "\n".join(
            [
                f"bootstrap.servers={kafka}",
                f"listeners=http://127.0.0.1:{port}",
                f"plugin.path={','.join(str(path) for path in parts.plugins)}",
                "plugin.discovery=service_load",
                f"offset.storage.file.filename={folder / 'connect.offsets'}",
                "key.converter=org.apache.kafka.connect.storage.StringConverter",
                "value.converter=org.apache.kafka.connect.storage.StringConverter",
                "connector.client.config.override.policy=All",
            ]
        )
    )
    log = folder / "connect.log"
    command = [parts.java, *options, "-Dlog4j2.level=INFO"]
    command += ["-cp", f"{parts.worker}/*", "org.apache.kafka.connect.cli.ConnectStandalone"]
    with log.open("wb") as out:
        process = subprocess.Popen([*command, str(told)], stdout=out, stderr=out, cwd=folder)
    try:
        worker = Worker(process, port=port, log=log)
        eventually(
            worker.answers,
            seconds_max=START_SECONDS_MAX,
            what="Kafka Connect answers",
            more=worker.log,
        )
        yield worker
    finally:
        process.terminate()
        process.wait()


def _as_it_is(_fetched: Path) -> None:
    """The jars lie as they are used."""


def _as_plugin(fetched: Path) -> None:
    """A plugin is a folder of jars within one of the folders that the worker is told.

    It is told what is in it, too: a worker that has to look at every class takes a minute.
    """
    jars = list(fetched.iterdir())
    plugin = fetched / "plugin"
    plugin.mkdir()
    for jar in jars:
        jar.rename(plugin / jar.name)
    with zipfile.ZipFile(plugin / "services.jar", "w") as services:
        services.writestr(f"META-INF/services/{CONVERTER}", f"{CONVERTER_CLASS}\n")


def _unpacked(fetched: Path) -> None:
    archives = list(fetched.glob("*.tar.gz"))
    if len(archives) != 1:
        raise NotFetched(f"Maven left {len(archives)} archives of the connector.")
    unpack_tar(archives[0], fetched)
    archives[0].unlink()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
