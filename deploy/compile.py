"""Compiles what of the package is written in Cython, each file beside its source.

    python deploy/compile.py

Needs Cython, Python's headers, and a C compiler: `CC`, `cc`, or the one that the package `ziglang`
brings along (`requirements/compiler.lock`).
"""

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = {"darwin": ["-bundle", "-undefined", "dynamic_lookup"]}.get(sys.platform, ["-shared"])


class NotCompiled(Exception):
    """It could not be compiled; the message says what is missing, or what the compiler said."""


def compile_all(root: Path = ROOT) -> list[Path]:
    """Compile every `.pyx` file in the packages below a folder.

    Returns:
        The modules, ready to be imported.

    Raises:
        NotCompiled: the compiler or something that it needs is missing.
    """
    found = compiler()
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").is_file():
        raise NotCompiled("Python's headers are missing (its package python3-dev, or the like)")
    return [_compiled(source, root, found, headers) for source in sorted(root.glob("*/*.pyx"))]


def compiler() -> list[str]:
    """The C compiler's command.

    Raises:
        NotCompiled: there is none.
    """
    wished = shlex.split(os.environ.get("CC", ""))
    if wished:
        return wished
    if shutil.which("cc"):
        return ["cc"]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined"]
    raise NotCompiled("there is no C compiler: install one, or requirements/compiler.lock")


def _compiled(source: Path, root: Path, found: list[str], headers: str) -> Path:
    target = source.with_suffix(str(sysconfig.get_config_var("EXT_SUFFIX")))
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / f"{source.stem}.c"
        made = Path(folder) / target.name
        place = str(source.relative_to(root))
        _run([sys.executable, "-m", "cython", "-3", "-o", str(written), place], root)
        flags = ["-O3", "-fwrapv", "-fPIC", f"-I{headers}", *SHARED]
        _run([*found, *flags, str(written), "-o", str(made)], root)
        # Under its name only once it is whole: another process may be about to import it.
        moved = shutil.move(made, target.with_name(f".{target.name}"))
        Path(moved).replace(target)
    return target


def _run(command: list[str], folder: Path) -> None:
    try:
        told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NotCompiled(f"{command[0]} cannot be run: {error.strerror}") from error
    if told.returncode != 0:
        raise NotCompiled(f"{shlex.join(command)} failed:\n{told.stdout}{told.stderr}")


def main() -> int:
    """Compile, and say what came of it."""
    try:
        for made in compile_all():
            sys.stdout.write(f"Compiled {made.relative_to(ROOT)}\n")
    except NotCompiled as error:
        sys.stderr.write(f"The producer is not compiled, and its relay will be slower: {error}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
