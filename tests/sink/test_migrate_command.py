"""`stripeline sink migrate`, as an operator runs it."""

import os
import subprocess
import sys

import pytest

from runtime.errors import ExitCode

pytestmark = pytest.mark.stack


def migrated(database_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stripeline", "sink", "migrate"],
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_says_what_it_did_and_that_nothing_was_left_to_do(database_url: str) -> None:
    first = migrated(database_url)
    assert first.returncode == ExitCode.OK
    assert first.stdout.splitlines() == [
        "migrated 0001_offsets",
        "migrated 0002_dead_letters",
        "migrated 0003_columns",
        "migrated 0004_rebuild",
        "migrated 0005_indexes",
    ]
    again = migrated(database_url)
    assert again.returncode == ExitCode.OK
    assert again.stdout == "schema stripeline is up to date\n"


def test_a_postgres_that_does_not_answer_has_its_own_exit_code() -> None:
    told = migrated("postgresql://nobody@127.0.0.1:1/none")
    assert told.returncode == ExitCode.UNREACHABLE
    assert "DATABASE_URL" in told.stderr
