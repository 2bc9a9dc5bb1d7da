"""A process is known by more than its number."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from stack.identity import identity_of, send, wait_gone

ENDS_WHEN_TOLD = "import signal, sys; print('up', flush=True); signal.pause()"
END_SECONDS_MAX = 20.0


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[str]]:
    """A process that lives until it is signalled."""
    with subprocess.Popen(
        [sys.executable, "-c", ENDS_WHEN_TOLD], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        yield process
        process.kill()


def test_a_process_keeps_its_identity() -> None:
    first = identity_of(os.getpid())
    assert first is not None
    assert first.pid == os.getpid()
    assert first == identity_of(os.getpid())


def test_two_processes_of_one_command_differ(waiting: subprocess.Popen[str]) -> None:
    ours, theirs = identity_of(os.getpid()), identity_of(waiting.pid)
    assert ours is not None
    assert theirs is not None
    assert ours != replace(theirs, pid=ours.pid)


def test_a_number_without_a_process_has_no_identity() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert identity_of(ended.pid) is None


def test_a_process_that_only_waits_to_be_reaped_is_gone(waiting: subprocess.Popen[str]) -> None:
    identity = identity_of(waiting.pid)
    assert identity is not None
    assert send(identity, signal.SIGTERM)
    assert wait_gone(identity, seconds_max=END_SECONDS_MAX)
    assert identity_of(waiting.pid) is None
    assert waiting.wait() == -signal.SIGTERM


def test_a_process_that_is_ending_is_not_gone_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = identity_of(os.getpid())
    assert ours is not None
    monkeypatch.setattr("stack.identity.identity_of", lambda _pid: replace(ours, command=""))
    assert not wait_gone(ours, seconds_max=0)


def test_a_stranger_with_the_same_number_is_not_signalled(waiting: subprocess.Popen[str]) -> None:
    stranger = identity_of(waiting.pid)
    assert stranger is not None
    for remembered in (
        replace(stranger, started="long ago"),
        replace(stranger, command="another program"),
    ):
        assert not send(remembered, signal.SIGKILL)
        assert wait_gone(remembered, seconds_max=0)
    assert identity_of(waiting.pid) == stranger


def test_without_pidfd_a_stranger_is_not_signalled_either(
    waiting: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    known = identity_of(waiting.pid)
    assert known is not None
    assert not send(replace(known, started="long ago"), signal.SIGKILL)
    assert identity_of(waiting.pid) == known
    assert send(known, signal.SIGTERM)
    assert wait_gone(known, seconds_max=END_SECONDS_MAX)


def test_a_process_that_stays_is_not_called_gone() -> None:
    ours = identity_of(os.getpid())
    assert ours is not None
    assert not wait_gone(ours, seconds_max=0.2)
