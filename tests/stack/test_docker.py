"""Without Maven and PostgreSQL the same stack runs in containers."""

import shutil
import subprocess
from pathlib import Path

import httpx
import psycopg
import pytest

from stack import docker, postgres
from stack.addresses import Given
from stack.errors import ToolMissing
from stack.folder import Folder
from stack.local import NAMES, LocalStack
from stack.progress import Silent


@pytest.fixture
def only_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has Docker, and neither Maven nor PostgreSQL."""
    program = shutil.which("docker")
    if program is None or not docker.answers():
        pytest.skip("needs Docker: start its engine, or set DOCKER_HOST")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(postgres, "PLACES", ())


def local(folder: Folder, given: Given) -> LocalStack:
    return LocalStack(folder=folder, given=given, cache=folder.path / "cache", progress=Silent())


def containers() -> set[str]:
    told = subprocess.run(
        ["docker", "ps", "--all", "--format", "{{.Names}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(told.stdout.split())


@pytest.mark.stack
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("only_docker")
def test_the_stack_runs_in_containers_and_leaves_none_behind(tmp_path: Path) -> None:
    folder = Folder(path=tmp_path / "stack")
    ours = {docker.Docker(folder).named(name) for name in NAMES}
    stack = local(folder, Given())
    try:
        addresses = stack.up()
        assert ours <= containers()
        assert httpx.get(f"{addresses.registry}/subjects").json() == []
        with psycopg.connect(addresses.database) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert stack.down() == ["postgres", "registry", "kafka"]
    finally:
        stack.down()
        stack.remove_data()
    assert ours.isdisjoint(containers())


@pytest.mark.usefixtures("only_docker")
def test_a_registry_in_a_container_needs_a_broker_there_too(tmp_path: Path) -> None:
    stack = local(Folder(path=tmp_path / "stack"), Given(kafka="127.0.0.1:1"))
    with pytest.raises(ToolMissing, match="Set SCHEMA_REGISTRY_URL too"):
        stack.up()
