"""Programs are started detached, remembered in pid files, and only those are stopped."""

import json
import os
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from stack.errors import ProgramFailed
from stack.folder import Folder
from stack.identity import identity_of
from stack.supervisor import Program, Supervisor

# Says where it is in a file once it serves: what `answers` looks for.
SERVES = """
import pathlib, signal, sys
{before}
print("serving", flush=True)
pathlib.Path(sys.argv[1]).touch()
while True:
    signal.pause()
"""
START_SECONDS_MAX = 20.0
STOP_SECONDS_MAX = 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(path=tmp_path / "data").made()


@pytest.fixture
def supervisor(folder: Folder) -> Supervisor:
    return Supervisor(folder, stop_seconds_max=START_SECONDS_MAX)


def serving(tmp_path: Path, name: str = "server", before: str = "") -> Program:
    place = tmp_path / f"{name}.serves"
    return Program(
        name=name,
        command=(sys.executable, "-c", SERVES.format(before=before), str(place)),
        answers=place.exists,
        start_seconds_max=START_SECONDS_MAX,
    )


def running_script(name: str, script: str, *, seconds_max: float = START_SECONDS_MAX) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", script),
        answers=lambda: False,
        start_seconds_max=seconds_max,
    )


def test_a_program_runs_until_it_is_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(serving(tmp_path))
    told = supervisor.running("server")
    assert told is not None
    assert identity_of(told.identity.pid) == told.identity
    assert supervisor.stop("server")
    assert supervisor.running("server") is None
    assert supervisor.was_stopped("server")
    assert not supervisor.stop("server")


def test_another_command_knows_and_stops_what_this_one_started(
    supervisor: Supervisor, folder: Folder, tmp_path: Path
) -> None:
    supervisor.start(serving(tmp_path))
    elsewhere = Supervisor(folder)
    assert [told.name for told in elsewhere.all_running()] == ["server"]
    assert elsewhere.stop("server")
    assert supervisor.running("server") is None
    assert supervisor.was_stopped("server")
    assert not supervisor.stop("server")


def test_the_last_started_comes_first(supervisor: Supervisor, tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    for name in names:
        supervisor.start(serving(tmp_path, name))
    found = [told.name for told in supervisor.all_running()]
    for name in names:
        supervisor.stop(name)
    assert found == ["three", "two", "one"]


def test_a_program_that_crashed_was_not_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(serving(tmp_path))
    told = supervisor.running("server")
    assert told is not None
    os.kill(told.identity.pid, signal.SIGKILL)
    os.waitid(os.P_PID, told.identity.pid, os.WEXITED | os.WNOWAIT)
    assert supervisor.running("server") is None
    assert not supervisor.was_stopped("server")
    supervisor.stop("server")


def test_one_that_is_being_stopped_did_not_crash(
    supervisor: Supervisor, folder: Folder, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    before = f"""
def look(*_):
    names = sorted(place.name for place in pathlib.Path({str(folder.pid_files)!r}).iterdir())
    pathlib.Path({str(asked)!r}).write_text(str(names))
    raise SystemExit

signal.signal(signal.SIGTERM, look)
"""
    supervisor.start(serving(tmp_path, before=before))
    supervisor.stop("server")
    assert asked.read_text() == "['server.pid', 'server.stopping']"
    assert list(folder.pid_files.iterdir()) == []


def test_it_is_in_a_session_of_its_own(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(serving(tmp_path))
    told = supervisor.running("server")
    assert told is not None
    session = os.getsid(told.identity.pid)
    supervisor.stop("server")
    assert session == told.identity.pid


def test_a_program_that_ends_at_once_is_told_with_its_last_lines(
    supervisor: Supervisor, folder: Folder
) -> None:
    script = "print('the disk is full'); raise SystemExit(7)"
    with pytest.raises(ProgramFailed) as failed:
        supervisor.start(running_script("broken", script))
    message = str(failed.value)
    assert "broken: it ended with exit code 7" in message
    assert "the disk is full" in message
    assert str(folder.log("broken")) in message


def test_a_program_that_does_not_answer_is_stopped_again(supervisor: Supervisor) -> None:
    silent = running_script("silent", "import signal; signal.pause()", seconds_max=0.3)
    with pytest.raises(ProgramFailed, match="silent: it did not answer within 0 s"):
        supervisor.start(silent)
    assert supervisor.all_running() == []


def test_a_program_that_is_not_there_is_told_by_name(supervisor: Supervisor) -> None:
    missing = Program(name="missing", command=("/nowhere/at-all",), answers=lambda: True)
    with pytest.raises(ProgramFailed, match=r"missing: .*No such file"):
        supervisor.start(missing)
    assert supervisor.all_running() == []


def test_an_answer_from_somebody_else_does_not_hide_that_it_ended(supervisor: Supervisor) -> None:
    ended = Program(
        name="ended",
        command=(sys.executable, "-c", "raise SystemExit(3)"),
        # Looked at only when the program has gone: what answers then is another one.
        answers=lambda: supervisor.running("ended") is None,
        start_seconds_max=START_SECONDS_MAX,
    )
    with pytest.raises(ProgramFailed, match="exit code 3"):
        supervisor.start(ended)


def test_one_that_ignores_the_wish_is_killed(folder: Folder, tmp_path: Path) -> None:
    impatient = Supervisor(folder, stop_seconds_max=STOP_SECONDS_MAX)
    ignoring = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    impatient.start(serving(tmp_path, before=ignoring))
    assert impatient.stop("server")
    assert impatient.running("server") is None


def test_each_is_stopped_by_its_own_signal(
    supervisor: Supervisor, folder: Folder, tmp_path: Path
) -> None:
    before = "signal.signal(signal.SIGINT, lambda *_: (print('interrupted', flush=True), exit()))"
    program = replace(serving(tmp_path, before=before), stop_signal=signal.SIGINT)
    supervisor.start(program)
    supervisor.stop("server")
    assert folder.log("server").read_text() == "serving\ninterrupted\n"


def test_a_pid_file_of_a_stranger_stops_nobody(supervisor: Supervisor, folder: Folder) -> None:
    ours = identity_of(os.getpid())
    assert ours is not None
    remembered = {
        "name": "kafka",
        "identity": asdict(replace(ours, started="before the last reboot")),
        "stop_signal": "SIGKILL",
        "started_nanoseconds": 1,
    }
    (folder.pid_files / "kafka.pid").write_text(json.dumps(remembered))
    assert supervisor.running("kafka") is None
    assert not supervisor.stop("kafka")


@pytest.mark.parametrize("text", ["", "{", "123", '{"name": "kafka"}', "[]"])
def test_a_pid_file_that_cannot_be_read_stops_nobody(
    supervisor: Supervisor, folder: Folder, text: str
) -> None:
    (folder.pid_files / "kafka.pid").write_text(text)
    assert supervisor.all_running() == []
    assert not supervisor.stop("kafka")


def test_the_log_of_the_start_before_is_kept(
    supervisor: Supervisor, folder: Folder, tmp_path: Path
) -> None:
    folder.log("server").write_text("the start before\n")
    supervisor.start(serving(tmp_path))
    supervisor.stop("server")
    assert folder.log("server").read_text() == "serving\n"
    assert (folder.path / "logs" / "server.previous.log").read_text() == "the start before\n"
