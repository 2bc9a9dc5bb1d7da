"""The demo as it is run: the product's own services, on servers that are given."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from stack.folder import Folder
from stack.supervisor import Supervisor
from tests.infrastructure import Infrastructure
from tests.isolation import delete_topics
from tests.stack.commands import COMMAND_SECONDS_MAX, command, given, started

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

TOPICS = re.compile(r"Topics +(demo_[0-9a-f]+)\.subscription")


@contextmanager
def topics_removed(stack: Infrastructure, printed: list[str]) -> Iterator[None]:
    """Remove the topics that a demo names in what it prints: it cannot do so itself."""
    try:
        yield
    finally:
        for name in TOPICS.findall("\n".join(printed)):
            delete_topics(stack, namespace=name)


def databases(stack: Infrastructure) -> set[str]:
    with psycopg.connect(stack.postgres) as connection:
        question = "select datname from pg_database where datname like 'demo@_%' escape '@'"
        return {name for (name,) in connection.execute(question)}


def supervisor_of(folder: Path) -> Supervisor:
    return Supervisor(Folder(path=folder / ".stripeline" / "demo"))


@contextmanager
def running_demo(
    stack: Infrastructure, folder: Path, printed: list[str]
) -> Iterator[subprocess.Popen[str]]:
    """A demo whose first change has reached its row."""
    with (
        topics_removed(stack, printed),
        started("demo", folder=folder, **given(stack)) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                printed.append(line)
                if "row after" in line:
                    break
            else:
                raise AssertionError(process.stderr.read() if process.stderr else "")
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=COMMAND_SECONDS_MAX)


def test_a_demo_that_leaves_ends_well_only_with_the_right_rows(
    stack: Infrastructure, tmp_path: Path
) -> None:
    before = databases(stack)
    printed: list[str] = []
    with topics_removed(stack, printed):
        told = command("demo", folder=tmp_path, DEMO_EXIT="1", **given(stack))
        printed.append(told.stdout)
    assert told.returncode == 0, told.stderr
    assert "Every row says what Stripe says." in told.stdout
    assert re.search(r"Elm Street Bakery +web +cus_\w+ +canceled", told.stdout)
    assert supervisor_of(tmp_path).all_running() == []
    assert databases(stack) == before


def test_ctrl_c_stops_everything_in_order(stack: Infrastructure, tmp_path: Path) -> None:
    before = databases(stack)
    printed: list[str] = []
    with running_demo(stack, tmp_path, printed) as process:
        names = [told.name for told in supervisor_of(tmp_path).all_running()]
        (metrics,) = re.findall(r"Metrics of sink +(\S+)", "".join(printed))
        assert "stripeline_sink_written_total" in httpx.get(metrics).text
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=COMMAND_SECONDS_MAX)
    assert names == ["sink", "relay", "webhook", "simulator"]
    assert re.findall(r"✓ Stopping (\w+)", told) == names
    assert process.returncode == 0
    assert supervisor_of(tmp_path).all_running() == []
    assert databases(stack) == before


def test_a_service_that_ends_by_itself_ends_the_demo_with_its_log(
    stack: Infrastructure, tmp_path: Path
) -> None:
    with running_demo(stack, tmp_path, []) as process:
        sink = supervisor_of(tmp_path).running("sink")
        assert sink is not None
        os.kill(sink.identity.pid, signal.SIGKILL)
        _, told = process.communicate(timeout=COMMAND_SECONDS_MAX)
    assert process.returncode == 3
    assert "sink: it ended by itself" in told
    assert "sink.log" in told
    assert supervisor_of(tmp_path).all_running() == []


def test_the_demo_is_stopped_from_elsewhere_and_a_second_one_is_refused(
    stack: Infrastructure, tmp_path: Path
) -> None:
    with running_demo(stack, tmp_path, []) as process:
        second = command("demo", folder=tmp_path, **given(stack))
        assert second.returncode == 1
        assert "The demo runs already" in second.stderr
        stopped = command("down", folder=tmp_path, **given(stack))
        assert stopped.returncode == 0, stopped.stderr
        told, _ = process.communicate(timeout=COMMAND_SECONDS_MAX)
    assert process.returncode == 0
    assert "Stopped elsewhere." in told
    assert supervisor_of(tmp_path).all_running() == []
