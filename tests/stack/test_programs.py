"""Java, Maven and PostgreSQL are found or fetched; what is missing is told in one line."""

import os
import socket
import tempfile
import threading
from pathlib import Path

import pytest

from stack import docker, java, kafka, maven, postgres, registry, services
from stack.errors import NotFetched, ToolMissing
from stack.folder import HOST, Folder
from stack.maven import Maven
from stack.progress import Silent
from stack.reach import reachable

FAKE = """#!/bin/sh
{body}
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that PATH has."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def fake(folder: Path, name: str, body: str) -> None:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(FAKE.format(body=body))
    place.chmod(0o755)


def nothing_more(_fetched: Path) -> None:
    """What was fetched stays as it is."""


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_release_is_read_from_what_java_says(text: str, release: int | None) -> None:
    assert java.release_told(text) == release


def test_a_java_that_is_too_old_is_passed_over(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "old", "bin/java", "echo 'openjdk version \"11.0.2\"' >&2")
    fake(tmp_path / "new", "bin/java", "echo 'openjdk version \"21.0.1\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    assert java.machine_java() is None
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
    assert java.machine_java() == java.Java(home=tmp_path / "new", release=21)


def test_a_java_that_does_not_run_is_passed_over(programs: Path) -> None:
    fake(programs, "java", "exit 1")
    assert java.machine_java() is None


def test_without_maven_and_docker_one_line_tells_what_to_install(
    programs: Path, tmp_path: Path
) -> None:
    assert not maven.installed()
    assert not docker.answers()
    with pytest.raises(ToolMissing, match="Install Maven"):
        Maven(cache=tmp_path, progress=Silent()).fetched(
            "kafka", goal="copy-dependencies", prepare=nothing_more
        )


def test_what_maven_says_is_told_when_it_fails(programs: Path, tmp_path: Path) -> None:
    fake(programs, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    fake(programs, "mvn", "echo Downloading; echo '[ERROR] no route to host'; exit 1")
    fetch = Maven(cache=tmp_path / "cache", progress=Silent())
    with pytest.raises(NotFetched, match=r"Maven could not fetch kafka:\n  \| .ERROR. no route"):
        fetch.fetched("kafka", goal="copy-dependencies", prepare=nothing_more)
    assert not list((tmp_path / "cache").glob("kafka-*[!.lock]"))


def test_maven_is_asked_once_and_told_which_java(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "new", "bin/java", "echo 'openjdk version \"21.0.1\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
    fake(programs, "mvn", f'echo "$JAVA_HOME $*" >> {tmp_path}/asked')
    fetch = Maven(cache=tmp_path / "cache", progress=Silent())
    properties = {"postgres.platform": "linux-amd64"}
    first = fetch.fetched("postgres", goal="copy", prepare=nothing_more, properties=properties)
    second = fetch.fetched("postgres", goal="copy", prepare=nothing_more, properties=properties)
    assert first == second
    (asked,) = (tmp_path / "asked").read_text().splitlines()
    assert asked.startswith(f"{tmp_path / 'new'} --batch-mode")
    assert "--activate-profiles postgres" in asked
    assert "-Dpostgres.platform=linux-amd64" in asked
    assert asked.endswith("dependency:copy")


def test_another_platform_is_another_download(programs: Path, tmp_path: Path) -> None:
    fake(programs, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    fake(programs, "mvn", "exit 0")
    fetch = Maven(cache=tmp_path / "cache", progress=Silent())
    places = {
        fetch.fetched(
            "postgres", goal="copy", prepare=nothing_more, properties={"postgres.platform": chosen}
        )
        for chosen in ("linux-amd64", "darwin-arm64v8")
    }
    assert len(places) == 2


def test_another_version_is_kept_under_its_own_name(programs: Path, tmp_path: Path) -> None:
    fake(programs, "java", "echo 'openjdk version \"21.0.1\"' >&2")
    fake(programs, "mvn", "exit 0")
    fetch = Maven(cache=tmp_path / "cache", progress=Silent())
    given = {"postgres.version": "14.24.0"}
    place = fetch.fetched("postgres", goal="copy", prepare=nothing_more, properties=given)
    assert place.name.startswith("postgres-14.24.0-")


@pytest.mark.parametrize(
    ("system", "machine", "name"),
    [
        ("linux", "x86_64", "linux-amd64"),
        ("linux", "aarch64", "linux-arm64v8"),
        ("darwin", "arm64", "darwin-arm64v8"),
    ],
)
def test_embedded_postgres_is_chosen_for_the_machine(system: str, machine: str, name: str) -> None:
    assert postgres.embedded_platform(system, machine) == name


def test_a_machine_without_embedded_postgres_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="no embedded PostgreSQL for linux on s390x"):
        postgres.embedded_platform("linux", "s390x")


def test_a_postgres_of_another_release_is_passed_over(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PLACES", ())
    fake(programs, "initdb", "exit 0")
    fake(programs, "postgres", "echo 'postgres (PostgreSQL) 13.2'")
    assert postgres.machine_binaries() == []
    fake(programs, "postgres", "echo 'postgres (PostgreSQL) 16.15 (Debian)'")
    assert postgres.machine_binaries() == [
        postgres.Binaries(folder=programs.resolve(), release=16)
    ]


def test_a_folder_behind_a_closed_one_is_not_reached(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, who alone may ask for another user's sake")
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    for place in (closed, *closed.parents):
        if place == Path(tempfile.gettempdir()):
            break
        place.chmod(0o711)
    assert reachable(inner, "nobody")
    closed.chmod(0o700)
    assert not reachable(inner, "nobody")


def test_nothing_answers_where_nothing_listens(tmp_path: Path) -> None:
    port = Folder(path=tmp_path / "data").port("nothing")
    assert not kafka.answers(f"{HOST}:{port}")
    assert not kafka.listens(f"{HOST}:{port}")
    assert not registry.answers(registry.url(port))
    assert not postgres.answers(f"postgresql://nobody@{HOST}:{port}/none")
    assert not services.ready(port)


def test_a_door_that_opens_and_shuts_is_not_taken_for_a_broker() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]

        def shut() -> None:
            connection, _ = server.accept()
            connection.close()

        door = threading.Thread(target=shut)
        door.start()
        assert not kafka.answers(f"{HOST}:{port}")
        door.join(timeout=20)
        assert kafka.listens(f"{HOST}:{port}")
