"""A data folder remembers its ports and secrets, and is used by one command at a time."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.errors import StillRunning
from stack.folder import HOST, PORT_MAX, PORT_MIN, Folder, is_free


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(path=tmp_path / "data")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        yield server


def test_a_port_is_free_and_remembered(folder: Folder) -> None:
    port = folder.port("kafka")
    assert PORT_MIN <= port <= PORT_MAX
    assert is_free(port)
    assert Folder(path=folder.path).port("kafka") == port


def test_names_of_a_folder_never_share_a_port(folder: Folder) -> None:
    ports = [folder.port(f"program-{number}") for number in range(200)]
    assert len(set(ports)) == len(ports)


def test_two_folders_take_different_ports(tmp_path: Path) -> None:
    first, second = Folder(path=tmp_path / "first"), Folder(path=tmp_path / "second")
    assert first.port("kafka") != second.port("kafka")


def test_a_remembered_port_that_is_taken_gives_way(
    folder: Folder, listener: socket.socket
) -> None:
    taken = folder.port("kafka")
    listener.bind((HOST, taken))
    listener.listen()
    fresh = folder.usable_port("kafka")
    assert fresh != taken
    assert folder.port("kafka") == fresh


def test_a_remembered_port_that_is_free_stays(folder: Folder) -> None:
    assert folder.port("kafka") == folder.usable_port("kafka")


def test_a_second_command_is_refused_while_the_first_works(folder: Folder) -> None:
    with (
        folder.locked(),
        pytest.raises(StillRunning, match="Another command"),
        Folder(path=folder.path).locked(),
    ):
        pass
    with folder.locked():
        assert folder.path.is_dir()


def test_a_secret_is_remembered_and_for_its_owner_alone(folder: Folder) -> None:
    secret = folder.secret("postgres")
    assert len(secret) == 32
    assert folder.secret("postgres") == secret
    assert (folder.path / "postgres.secret").stat().st_mode & 0o077 == 0
