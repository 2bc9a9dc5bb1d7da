"""The services as processes: how each is started, and how one sees that it can do its work."""

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

from stack.folder import HOST, Folder
from stack.supervisor import Program

ANSWER_SECONDS_MAX = 2.0
START_SECONDS_MAX = 90.0


class Service(Enum):
    """A service, and the words of the command that runs it."""

    SIMULATOR = ("simulator",)
    WEBHOOK = ("producer", "webhook")
    POLL = ("producer", "poll")
    RELAY = ("producer", "relay")
    SINK = ("sink", "run")

    @property
    def label(self) -> str:
        """What its pid file and its log are called."""
        return self.value[-1] if self is not Service.SINK else "sink"


def program(
    folder: Folder, service: Service, *, environment: Mapping[str, str], working_folder: Path
) -> Program:
    """The service as it is started: with probes on a port of this folder.

    Args:
        folder: where its pid file and log go.
        service: which one.
        environment: its settings.
        working_folder: where it looks for `.env`.
    """
    port = folder.usable_port(f"{service.label}-health")
    return Program(
        name=service.label,
        command=(sys.executable, "-m", "stripeline", *service.value),
        environment={**environment, "HEALTH_HOST": HOST, "HEALTH_PORT": str(port)},
        working_folder=working_folder,
        answers=lambda: ready(port),
        start_seconds_max=START_SECONDS_MAX,
    )


def ready(health_port: int) -> bool:
    """Whether the service says that it can do its work."""
    url = f"http://{HOST}:{health_port}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


def metrics_url(folder: Folder, service: Service) -> str:
    """Where Prometheus reads the service."""
    return f"http://{HOST}:{folder.port(f'{service.label}-health')}/metrics"
