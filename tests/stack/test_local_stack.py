"""The local stack for real: started, found running, kept over a restart, and stopped."""

import json
from pathlib import Path

import httpx
import psycopg
import pytest

from stack import kafka, maven, postgres, registry
from stack.addresses import Given
from stack.errors import StackError
from stack.folder import Folder
from stack.local import LocalStack, State
from stack.progress import Silent
from stack.settings import StackSettings
from tests.stack.commands import command

SCHEMA = {"type": "record", "name": "Kept", "fields": [{"name": "id", "type": "string"}]}


def local(folder: Folder, given: Given | None = None) -> LocalStack:
    return LocalStack(
        folder=folder,
        given=given or Given(),
        cache=StackSettings().stack_cache,
        progress=Silent(),
    )


def register(base: str) -> None:
    asked = {"schema": json.dumps(SCHEMA)}
    httpx.post(f"{base}/subjects/kept-value/versions", json=asked).raise_for_status()


@pytest.mark.stack
@pytest.mark.timeout(900)
def test_the_local_stack_starts_keeps_its_data_and_stops(tmp_path: Path) -> None:
    if not maven.installed():
        pytest.skip("needs Maven (`mvn`), which fetches Kafka and the registry")
    for place in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        # PostgreSQL may run as another user, who must get here.
        place.chmod(0o711)
    folder = Folder(path=tmp_path / "stack")
    stack = local(folder)
    try:
        addresses = stack.up()
        register(addresses.registry)
        with psycopg.connect(addresses.database) as connection:
            connection.execute("create table kept as select 1 as id")
        processes = {told.name: told.identity for told in stack.supervisor.all_running()}

        assert stack.up() == addresses
        assert {told.name: told.identity for told in stack.supervisor.all_running()} == processes
        assert {one.name: one.state for one in stack.standings()} == dict.fromkeys(
            ("kafka", "registry", "postgres"), State.RUNNING
        )
        with pytest.raises(StackError, match="still run"):
            stack.remove_data()

        assert stack.down() == ["postgres", "registry", "kafka"]
        assert {one.state for one in stack.standings()} == {State.STOPPED}
        assert not kafka.answers(addresses.kafka)
        assert not registry.answers(addresses.registry)
        assert not postgres.answers(addresses.database)
        assert stack.down() == []

        assert local(folder).addresses() == addresses
        assert stack.up() == addresses
        assert httpx.get(f"{addresses.registry}/subjects").json() == ["kept-value"]
        with psycopg.connect(addresses.database) as connection:
            assert connection.execute("select id from kept").fetchall() == [(1,)]
    finally:
        stack.down()
    stack.remove_data()
    assert not folder.path.exists()


def test_what_is_given_is_used_and_nothing_is_started(tmp_path: Path) -> None:
    given = Given(
        kafka="127.0.0.1:1", registry="http://127.0.0.1:1", database="postgresql://u@127.0.0.1:1/d"
    )
    stack = local(Folder(path=tmp_path / "stack"), given)
    addresses = stack.up()
    assert (addresses.kafka, addresses.registry, addresses.database) == (
        given.kafka,
        given.registry,
        given.database,
    )
    assert stack.supervisor.all_running() == []
    assert {one.state for one in stack.standings()} == {State.UNREACHABLE}


def test_stopping_where_nothing_runs_says_so(tmp_path: Path) -> None:
    told = command("down", folder=tmp_path)
    assert told.returncode == 0
    assert told.stdout == "Nothing ran.\n"


def test_the_status_of_nothing_is_a_table_of_stopped_programs(tmp_path: Path) -> None:
    told = command("status", folder=tmp_path, COLUMNS="200")
    assert told.returncode == 0
    assert [line.split()[:2] for line in told.stdout.splitlines() if "stopped" in line] == [
        ["kafka", "stopped"],
        ["registry", "stopped"],
        ["postgres", "stopped"],
    ]


@pytest.mark.parametrize("name", ["up", "status", "down", "demo"])
def test_every_command_teaches_itself(tmp_path: Path, name: str) -> None:
    told = command(name, "--help", folder=tmp_path, COLUMNS="200")
    assert told.returncode == 0
    assert f"stack {name} [OPTIONS]" in told.stdout
