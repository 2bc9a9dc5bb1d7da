"""Where the suite's real Kafka, schema registry and Postgres come from."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import HttpWaitStrategy, LogMessageWaitStrategy

from stack import docker
from stack.__main__ import HOME
from stack.addresses import Addresses, Given
from stack.folder import Folder
from stack.kafka import SINGLE_BROKER
from stack.local import LocalStack
from stack.progress import Progress, Silent
from stack.registry import CONFLUENT_API
from stack.registry import environment as registry_environment
from stack.settings import StackSettings

KAFKA_IMAGE = "apache/kafka:4.3.1"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.0.9"
POSTGRES_IMAGE = "postgres:17"
START_SECONDS_MAX = 180
EVERY_HOST = "0.0.0.0"  # noqa: S104 - of the container
FOLDER = Path(__file__).parent.parent / HOME / "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure:
    """The addresses that tests use.

    Attributes:
        kafka: bootstrap servers.
        registry: URL of the registry's Confluent API.
        postgres: URL of a database whose user may create databases.
    """

    kafka: str
    registry: str
    postgres: str


@contextmanager
def provided() -> Iterator[Infrastructure]:
    """Real parts: from the environment, else containers, else the local stack.

    Where the environment names only some of the three, the local stack starts the others.
    """
    given = Given(
        kafka=os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""),
        registry=os.environ.get("SCHEMA_REGISTRY_URL", ""),
        database=os.environ.get("DATABASE_URL", ""),
    )
    wanted = [given.kafka, given.registry, given.database]
    if all(wanted):
        yield Infrastructure(kafka=given.kafka, registry=given.registry, postgres=given.database)
    elif not any(wanted) and docker.answers():
        with _containers() as infrastructure:
            yield infrastructure
    else:
        with local_stack(FOLDER, given=given) as addresses:
            yield Infrastructure(
                kafka=addresses.kafka, registry=addresses.registry, postgres=addresses.database
            )


@contextmanager
def local_stack(
    path: Path, *, given: Given, progress: Progress | None = None
) -> Iterator[Addresses]:
    """The local stack in `path`, shared with other runs of the suite.

    The last of them to leave stops it; a run that finds it down starts it with no old data.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = LocalStack(
        folder=Folder(path=path),
        given=given,
        cache=StackSettings().stack_cache,
        progress=progress or Silent(),
    )
    with path.with_name(f"{path.name}.users").open("w") as users:
        if _alone(users.fileno()):
            if not stack.supervisor.all_running():
                stack.remove_data()
            stack.up()
        # Another run that starts the stack holds the lock alone until it is up.
        fcntl.flock(users, fcntl.LOCK_SH)
        addresses = stack.addresses()
        try:
            yield addresses
        finally:
            if _alone(users.fileno()):
                stack.down()
            else:
                stack.supervisor.let_go()


@contextmanager
def _containers() -> Iterator[Infrastructure]:
    with ExitStack() as started:
        network = started.enter_context(Network())
        port = _free_port()
        started.enter_context(_kafka(network, port))
        registry = started.enter_context(_registry(network))
        postgres = started.enter_context(_postgres())
        yield Infrastructure(
            kafka=f"localhost:{port}",
            registry=f"{_address('http', registry, 8080)}{CONFLUENT_API}",
            postgres=f"{_address('postgresql', postgres, 5432, user='postgres:test@')}/postgres",
        )


def _kafka(network: Network, port: int) -> DockerContainer:
    # The broker tells its clients its address, so the port is chosen first; it has listeners of
    # its own for itself and for the registry, because neither reaches this machine's port.
    return (
        DockerContainer(KAFKA_IMAGE)
        .with_network(network)
        .with_network_aliases("kafka")
        .with_bind_ports(9092, port)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="HOST://:9092,INSIDE://:9094,CONTROLLER://:9093",
            KAFKA_ADVERTISED_LISTENERS=f"HOST://localhost:{port},INSIDE://kafka:9094",
            KAFKA_INTER_BROKER_LISTENER_NAME="INSIDE",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=(
                "HOST:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            **{
                f"KAFKA_{name.upper().replace('.', '_')}": value
                for name, value in SINGLE_BROKER.items()
            },
        )
        .waiting_for(_said("Kafka Server started"))
    )


def _registry(network: Network) -> DockerContainer:
    return (
        DockerContainer(REGISTRY_IMAGE)
        .with_network(network)
        .with_exposed_ports(8080)
        .with_envs(**registry_environment(kafka="kafka:9094", host=EVERY_HOST, port=8080))
        .waiting_for(
            HttpWaitStrategy(8080, f"{CONFLUENT_API}/subjects")
            .for_status_code(200)
            .with_startup_timeout(START_SECONDS_MAX)
        )
    )


def _postgres() -> DockerContainer:
    return (
        DockerContainer(POSTGRES_IMAGE)
        .with_exposed_ports(5432)
        .with_envs(POSTGRES_PASSWORD="test")
        .with_command("-c max_connections=200")
        # Said twice: first by the server that only initialises.
        .waiting_for(_said("database system is ready to accept connections", times=2))
    )


def _said(words: str, *, times: int = 1) -> LogMessageWaitStrategy:
    return LogMessageWaitStrategy(words, times=times).with_startup_timeout(START_SECONDS_MAX)


def _address(scheme: str, container: DockerContainer, port: int, *, user: str = "") -> str:
    host, mapped = container.get_container_host_ip(), container.get_exposed_port(port)
    return f"{scheme}://{user}{host}:{mapped}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _alone(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
