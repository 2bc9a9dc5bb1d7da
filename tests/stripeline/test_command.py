"""The command mounts what is installed, and an operator's error is one message."""

import subprocess
import sys
from pathlib import Path

import pytest

from stripeline.__main__ import MOUNTED
from tests.stripeline.running import ROOT, stripeline


def test_help_lists_every_command_without_importing_one(tmp_path: Path) -> None:
    done = stripeline("--help", folder=tmp_path)

    assert done.returncode == 0
    assert all(f" {name} " in done.stdout for name in MOUNTED)


def test_a_command_is_unknown_where_its_service_is_not_installed(tmp_path: Path) -> None:
    modules = tmp_path / "app"
    modules.mkdir()
    for name in ("runtime", "schemas", "stripeline", "producer"):
        (modules / name).symlink_to(ROOT / name)
    program = (
        f"import sys; root = {str(ROOT)!r};"
        f"sys.path = [{str(modules)!r}, *(p for p in sys.path if p not in ('', root))];"
        "sys.argv[1:] = ['--help']; from stripeline.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert " producer " in done.stdout
    assert " sink " not in done.stdout
    assert done.returncode == 0


def test_a_wrong_setting_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    done = stripeline("producer", "webhook", folder=tmp_path, KAFKA_NAMESPACE="[bold]Wrong")

    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("error KAFKA_NAMESPACE: ")
    assert lines[1].startswith("STRIPE_WEBHOOK_SECRET: Field required. Example: ")
    assert len(lines) == 2


@pytest.mark.parametrize("name", MOUNTED)
def test_every_command_explains_itself(tmp_path: Path, name: str) -> None:
    done = stripeline(name, "--help", folder=tmp_path)

    assert done.returncode == 0
    assert "Usage: " in done.stdout
    assert name in done.stdout
