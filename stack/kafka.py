"""Apache Kafka as one process: broker and controller together, without ZooKeeper."""

import base64
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from stack.errors import ProgramFailed
from stack.folder import HOST, Folder
from stack.java import Java
from stack.supervisor import LAST_LINES, Program

NAME = "kafka"
CONTROLLER = "kafka-controller"
HEAP = ("-Xms256m", "-Xmx1g")
LOGGING = Path(__file__).with_name("kafka-log4j2.yaml")
FORMAT_SECONDS_MAX = 120.0
ANSWER_SECONDS_MAX = 2.0
API_VERSIONS = 18
SINGLE_BROKER = {
    # A topic that nobody made on purpose has the wrong partitions and no compaction.
    "auto.create.topics.enable": "false",
    # One broker, so one replica.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # One machine: fewer files and a faster start than with the 50 of a cluster.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    # A lone consumer need not wait 3 s for others to come.
    "group.initial.rebalance.delay.ms": "0",
}


def program(folder: Folder, *, java: Java, libraries: Path) -> Program:
    """The broker, its storage formatted.

    Raises:
        ProgramFailed: the storage could not be formatted.
    """
    port, controller = folder.usable_port(NAME), folder.usable_port(CONTROLLER)
    data = folder.data(NAME)
    data.mkdir(parents=True, exist_ok=True)
    configuration = data / "server.properties"
    configuration.write_text(properties(port=port, controller=controller, log_folder=data / "log"))
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    command = (java.program, *HEAP, logging, "-cp", f"{libraries}/*")
    if not (data / "log" / "meta.properties").exists():
        _format(folder, command, configuration)
    return Program(
        name=NAME,
        command=(*command, "kafka.Kafka", str(configuration)),
        working_folder=data,
        answers=lambda: answers(f"{HOST}:{port}"),
    )


def properties(*, port: int, controller: int, log_folder: Path) -> str:
    """The broker's `server.properties`."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "log.dirs": str(log_folder.resolve()),
        **SINGLE_BROKER,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def answers(bootstrap_servers: str) -> bool:
    """Whether the first of these brokers says which versions of the protocol it speaks."""
    # api key, api version 0, correlation id, client id of 5 bytes
    request = struct.pack(">hhih5s", API_VERSIONS, 0, 1, 5, b"stack")
    try:
        with _connection(bootstrap_servers) as broker:
            broker.sendall(struct.pack(">i", len(request)) + request)
            return len(broker.recv(4)) == 4
    except (OSError, ValueError):
        return False


def listens(bootstrap_servers: str) -> bool:
    """Whether the first of these brokers takes connections; it may ask for TLS or a password."""
    try:
        with _connection(bootstrap_servers):
            return True
    except (OSError, ValueError):
        return False


def _connection(bootstrap_servers: str) -> socket.socket:
    host, _, port = bootstrap_servers.split(",", maxsplit=1)[0].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS_MAX)


def _format(folder: Folder, command: tuple[str, ...], configuration: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ("kafka.tools.StorageTool", "format", "--standalone")
    told = subprocess.run(
        [*command, *tool, "--cluster-id", cluster, "--config", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
        timeout=FORMAT_SECONDS_MAX,
    )
    if told.returncode != 0:
        log = folder.log(NAME)
        log.write_text(told.stdout + told.stderr)
        lines = (told.stdout + told.stderr).splitlines()[-LAST_LINES:]
        raise ProgramFailed(
            program=NAME, fault="its storage could not be formatted", log=log, last_lines=lines
        )
