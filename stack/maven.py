"""Fetch what a profile of `pom.xml` names, through Maven, into the cache."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from stack.cache import kept
from stack.errors import NotFetched, ToolMissing
from stack.java import any_java
from stack.progress import Detail, Progress

POM = Path(__file__).with_name("pom.xml")
DIGEST_LENGTH = 8
LAST_LINES = 15


def installed() -> bool:
    """Whether this machine has Maven."""
    return shutil.which("mvn") is not None


class Maven:
    """Downloads named in a pom, each kept in a folder of the cache.

    Args:
        cache: for all clones.
        progress: told of each download.
        pom: whose profiles are fetched; a profile has its version as `<profile>.version`.
    """

    def __init__(self, *, cache: Path, progress: Progress, pom: Path = POM) -> None:
        self._cache = cache
        self._progress = progress
        self._pom = pom

    def fetched(
        self,
        profile: str,
        *,
        goal: str,
        prepare: Callable[[Path], None],
        properties: Mapping[str, str] | None = None,
    ) -> Path:
        """The folder with what `profile` names, fetched once.

        Args:
            goal: `copy-dependencies` with all that they need, or `copy` for a single archive.
            prepare: makes of the fetched files what is kept.
            properties: properties of the pom to override.

        Raises:
            ToolMissing: there is no Maven.
            NotFetched: Maven could not fetch it; the message holds its last lines.
        """
        given = dict(properties or {})
        version = given.get(f"{profile}.version") or pom_property(
            f"{profile}.version", pom=self._pom
        )

        def fetch(into: Path) -> None:
            with self._progress.step(f"Fetching {profile} {version}") as detail:
                self._run(profile, goal, given, into, detail)
                prepare(into)

        told = self._pom.read_bytes() + repr(sorted(given.items())).encode()
        digest = hashlib.sha256(told).hexdigest()[:DIGEST_LENGTH]
        name = f"{profile}-{version}-{digest}"
        return kept(self._cache / name, fetch)

    def _run(
        self, profile: str, goal: str, properties: Mapping[str, str], into: Path, detail: Detail
    ) -> None:
        program = shutil.which("mvn")
        if program is None:
            raise ToolMissing(
                f"Maven, which fetches {profile}, is not on this machine. Install Maven (`mvn`), "
                "or Docker in its place."
            )
        java = any_java(self._cache, self._progress)
        command = [
            program,
            "--batch-mode",
            "--file",
            str(self._pom),
            "--activate-profiles",
            profile,
        ]
        command += [f"-D{name}={value}" for name, value in properties.items()]
        command += [f"-DoutputDirectory={into}", f"dependency:{goal}"]
        # Maven would rather take a JAVA_HOME that is too old than the Java that was found.
        environment = {**os.environ, "JAVA_HOME": str(java.home)}
        said: list[str] = []
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            # Maven writes nothing beside the pom, but it must not find another project here.
            cwd=into,
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                said.append(line.rstrip())
                if "Downloading" in line:
                    detail(line.rstrip().rpartition("/")[2])
        if running.returncode != 0:
            faults = [line for line in said if "ERROR" in line] or said
            shown = "\n".join(f"  | {line}" for line in faults[:LAST_LINES])
            raise NotFetched(
                f"Maven could not fetch {profile}:\n{shown}\n"
                "Is the network there? Behind a proxy or a mirror, set it in ~/.m2/settings.xml."
            )


def pom_property(name: str, *, pom: Path = POM) -> str:
    """A property of a pom, such as `kafka.version`."""
    found = re.search(rf"<{re.escape(name)}>([^<]+)</", pom.read_text())
    assert found is not None, name
    return found[1]
