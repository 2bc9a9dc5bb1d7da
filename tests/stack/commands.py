"""`stripeline stack ...` as a process, with the addresses and settings of a test and no others."""

import os
import subprocess
import sys
from pathlib import Path

from tests.infrastructure import Infrastructure

COMMAND_SECONDS_MAX = 180
SERVERS = ("KAFKA_", "SCHEMA_", "DATABASE_", "STRIPE_")
SERVICES = ("WEBHOOK_", "SIMULATOR_", "RELAY_", "SINK_", "DEMO_")


def given(infrastructure: Infrastructure) -> dict[str, str]:
    """The environment that lets the stack use what the suite uses."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": infrastructure.kafka,
        "SCHEMA_REGISTRY_URL": infrastructure.registry,
        "DATABASE_URL": infrastructure.postgres,
    }


def started(*words: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command as it runs, in a folder where it keeps its data."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(SERVERS + SERVICES)
    }
    return subprocess.Popen(
        [sys.executable, "-m", "stripeline", "stack", *words],
        cwd=folder,
        env={**inherited, "PYTHONUNBUFFERED": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, ended."""
    with started(*words, folder=folder, **environment) as process:
        try:
            stdout, stderr = process.communicate(timeout=COMMAND_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)
