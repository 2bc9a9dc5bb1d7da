"""Runs the command as an operator does: a process of its own, an empty folder, no settings."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def stripeline(
    *arguments: str, folder: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The finished command; nothing of the caller's environment but the path reaches it."""
    return subprocess.run(
        [sys.executable, "-m", "stripeline", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
