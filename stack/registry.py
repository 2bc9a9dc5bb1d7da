"""Apicurio Registry, which keeps its schemas in Kafka and speaks the Confluent API."""

import urllib.error
import urllib.request
from pathlib import Path

from stack.errors import NotFetched
from stack.folder import HOST, Folder
from stack.java import Java
from stack.supervisor import Program

NAME = "registry"
CONFLUENT_API = "/apis/ccompat/v7"
# It starts often and serves little: the fast compiler alone halves the time until it answers.
TUNING = ("-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
ANSWER_SECONDS_MAX = 5.0


def program(folder: Folder, *, java: Java, unpacked: Path, kafka: str) -> Program:
    """The registry on the broker `kafka`.

    Raises:
        NotFetched: `unpacked` does not hold the registry.
    """
    port = folder.usable_port(NAME)
    runners = list(unpacked.glob("*-runner.jar"))
    if len(runners) != 1:
        raise NotFetched(f"{unpacked} does not hold the registry; remove it and start again.")
    manager = "-Djava.util.logging.manager=org.jboss.logmanager.LogManager"
    return Program(
        name=NAME,
        command=(java.program, *TUNING, manager, "-jar", str(runners[0])),
        environment=environment(kafka=kafka, host=HOST, port=port),
        answers=lambda: answers(url(port)),
    )


def environment(*, kafka: str, host: str, port: int) -> dict[str, str]:
    """The registry's settings."""
    return {
        "APICURIO_STORAGE_KIND": "kafkasql",
        "APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": kafka,
        "QUARKUS_HTTP_HOST": host,
        "QUARKUS_HTTP_PORT": str(port),
        # A line for each request would hide the lines that matter.
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
    }


def url(port: int) -> str:
    """Where the Confluent API is."""
    return f"http://{HOST}:{port}{CONFLUENT_API}"


def answers(base: str) -> bool:
    """Whether the registry lists its subjects: only then has it read its schemas from Kafka."""
    assert base.startswith(("http://", "https://"))
    try:
        with urllib.request.urlopen(f"{base}/subjects", timeout=ANSWER_SECONDS_MAX):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        # It asks who we are: it is there, and the services bring the password.
        error.close()
        return error.code in {401, 403}
    except (OSError, ValueError):
        return False
