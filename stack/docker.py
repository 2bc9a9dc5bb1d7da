"""The same three programs as containers, for a machine without Java, Maven or PostgreSQL.

Each is a `docker run` that stays in the foreground: what is remembered, signalled and logged is
that process, and its container goes with it.
"""

import hashlib
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping

from stack import kafka, postgres, registry
from stack.folder import HOST, Folder
from stack.maven import pom_property
from stack.supervisor import Program

POSTGRES_IMAGE = "postgres:17"
ANSWER_SECONDS_MAX = 20.0
START_SECONDS_MAX = 600.0  # the first start downloads the image
ID_LENGTH = 10
BROKER_PORT, INSIDE_PORT, CONTROLLER_PORT, REGISTRY_PORT = 9092, 9094, 9093, 8080


def answers() -> bool:
    """Whether there is a Docker engine to talk to."""
    program = shutil.which("docker")
    if program is None:
        return False
    try:
        told = subprocess.run(
            [program, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            check=False,
            timeout=ANSWER_SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return False
    return told.returncode == 0


class Docker:
    """Containers and volumes of one data folder, told from others by name."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        digest = hashlib.sha256(str(folder.path.resolve()).encode()).hexdigest()
        self._prefix = f"stripeline-{digest[:ID_LENGTH]}"

    def named(self, program: str) -> str:
        """What the container and the volume of a program are called."""
        return f"{self._prefix}-{program}"

    def kafka(self) -> Program:
        """The broker; it also opens the registry's port, whose container lives in its network."""
        port = self._folder.usable_port(kafka.NAME)
        registry_port = self._folder.usable_port(registry.NAME)
        environment = {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": (
                f"HOST://:{BROKER_PORT},INSIDE://:{INSIDE_PORT},CONTROLLER://:{CONTROLLER_PORT}"
            ),
            # Two listeners: the broker itself cannot reach the port that this machine sees.
            "KAFKA_ADVERTISED_LISTENERS": f"HOST://{HOST}:{port},INSIDE://localhost:{INSIDE_PORT}",
            "KAFKA_INTER_BROKER_LISTENER_NAME": "INSIDE",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{CONTROLLER_PORT}",
            "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
                "HOST:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "KAFKA_LOG_DIRS": "/var/lib/kafka/data",
            **{
                f"KAFKA_{name.upper().replace('.', '_')}": value
                for name, value in kafka.SINGLE_BROKER.items()
            },
        }
        return self._program(
            kafka.NAME,
            image=f"apache/kafka:{pom_property('kafka.version')}",
            environment=environment,
            options=(
                *("--publish", f"{HOST}:{port}:{BROKER_PORT}"),
                *("--publish", f"{HOST}:{registry_port}:{REGISTRY_PORT}"),
                *("--volume", f"{self.named(kafka.NAME)}:/var/lib/kafka/data"),
            ),
            answers=lambda: kafka.answers(f"{HOST}:{port}"),
        )

    def registry(self) -> Program:
        """The registry, in the network of the broker's container."""
        port = self._folder.port(registry.NAME)
        return self._program(
            registry.NAME,
            image=f"apicurio/apicurio-registry:{pom_property('registry.version')}",
            environment=registry.environment(
                kafka=f"localhost:{INSIDE_PORT}",
                host="0.0.0.0",  # noqa: S104 - of the container
                port=REGISTRY_PORT,
            ),
            options=("--network", f"container:{self.named(kafka.NAME)}"),
            answers=lambda: registry.answers(registry.url(port)),
        )

    def postgres(self) -> Program:
        """The database server."""
        port = self._folder.usable_port(postgres.NAME)
        admin = postgres.url(self._folder, database="postgres")
        return self._program(
            postgres.NAME,
            image=POSTGRES_IMAGE,
            environment={
                "POSTGRES_USER": postgres.USER,
                "POSTGRES_PASSWORD": self._folder.secret(postgres.NAME),
            },
            options=(
                *("--publish", f"{HOST}:{port}:5432"),
                *("--volume", f"{self.named(postgres.NAME)}:/var/lib/postgresql/data"),
            ),
            arguments=("-c", f"max_connections={postgres.CONNECTIONS_MAX}"),
            answers=lambda: postgres.answers(admin),
            stop_signal=signal.SIGINT,
        )

    def remove_data(self) -> None:
        """Remove the volumes; the containers must have ended."""
        for name in (kafka.NAME, postgres.NAME):
            _docker("volume", "rm", "--force", self.named(name))

    def _program(
        self,
        name: str,
        *,
        image: str,
        environment: Mapping[str, str],
        options: tuple[str, ...],
        answers: Callable[[], bool],
        arguments: tuple[str, ...] = (),
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> Program:
        container = self.named(name)
        # What a killed `docker run` left behind would keep the name and the port.
        _docker("rm", "--force", container)
        # Names only: the values pass through the environment, where `ps` does not show them.
        variables = [word for variable in environment for word in ("--env", variable)]
        command = ("docker", "run", "--rm", "--name", container, *options, *variables, image)
        return Program(
            name=name,
            command=(*command, *arguments),
            environment=environment,
            answers=answers,
            stop_signal=stop_signal,
            start_seconds_max=START_SECONDS_MAX,
        )


def _docker(*words: str) -> None:
    # Whether there was something to remove does not matter.
    subprocess.run(
        ["docker", *words], capture_output=True, check=False, timeout=ANSWER_SECONDS_MAX
    )
