"""What holds for the whole tree: sizes, opening sentences, and nothing of one machine in it."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FORBIDDEN_NAMES = {"utils", "common", "helpers", "types", "base", "core"}
# A folder of one machine, or the place that a package was fetched from.
OF_ONE_MACHINE = re.compile(
    r"(?<![\w.$}])/(?:home|Users|root|work)/\w"
    r"|--(?:extra-)?index-url|--find-links|--trusted-host"
    r"|(?:pypi|repo\.maven|repo1\.maven|registry\.npmjs|proxy\.golang)\.[a-z]+(?:\.[a-z]+)*/"
)
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
# An outside library is imported only in the files that are named for it.
IMPORTED_IN = {
    "stripe": (
        "producer/signature.py",
        "producer/stripe_api.py",
        "schemas/generate*.py",
        "stripeline/doctor_stripe.py",
    ),
    "confluent_kafka": (
        "producer/kafka_*.py",
        "runtime/kafka_*.py",
        "sink/kafka_*.py",
        "stripeline/doctor_kafka.py",
    ),
    "psycopg": (
        "sink/postgres*.py",
        "stack/demo_rows.py",
        "stack/postgres.py",
        "stripeline/doctor_postgres.py",
    ),
}
NOT_THE_PRODUCT = ("tests", "bench")
GENERATED = (Path("requirements"), Path("schemas/avro"))


def tracked() -> list[Path]:
    """Every file that belongs to the project, relative to its root."""
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode != 0:
        pytest.skip("the files of the project are told by git; clone it, or install git")
    return sorted(Path(name) for name in told.stdout.split("\0") if (ROOT / name).is_file())


def written() -> list[Path]:
    """Every file of the project in Python or Cython."""
    return [path for path in tracked() if path.suffix in {".py", ".pyx", ".pxd"}]


def sources() -> list[Path]:
    """Every Python file of the project."""
    return [path for path in tracked() if path.suffix == ".py"]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, the inner ones too."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def libraries(path: Path) -> set[str]:
    """The first part of everything that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file that a person writes, and its text."""
    for path in tracked():
        if not any(path.is_relative_to(folder) for folder in GENERATED):
            try:
                yield path, (ROOT / path).read_text()
            except UnicodeDecodeError:
                continue


def test_the_tree_is_seen() -> None:
    assert Path("tests/test_house_rules.py") in sources()


def test_no_file_is_longer_than_it_may_be() -> None:
    long = {
        str(path): count
        for path in written()
        if (count := len((ROOT / path).read_text().splitlines())) > FILE_LINES_MAX
    }
    assert long == {}


def test_no_function_is_longer_than_it_may_be() -> None:
    long = {
        f"{path}:{function.lineno} {function.name}": lines_of(function)
        for path in sources()
        for function in functions(path)
        if lines_of(function) > FUNCTION_LINES_MAX
    }
    assert long == {}


def test_every_module_opens_with_a_sentence() -> None:
    silent = []
    for path in sources():
        said = ast.get_docstring(ast.parse((ROOT / path).read_text()))
        if not said or not said.split("\n\n")[0].rstrip().endswith((".", "?", ":")):
            silent.append(str(path))
    assert silent == []


@pytest.mark.parametrize("library", IMPORTED_IN)
def test_a_library_is_imported_only_where_it_is_at_home(library: str) -> None:
    importing = [
        path
        for path in sources()
        if path.parts[0] not in NOT_THE_PRODUCT and library in libraries(path)
    ]
    elsewhere = [
        str(path)
        for path in importing
        if not any(path.match(pattern) for pattern in IMPORTED_IN[library])
    ]
    assert importing
    assert elsewhere == []


def test_every_file_is_named_for_what_it_holds() -> None:
    assert [str(path) for path in sources() if path.stem in FORBIDDEN_NAMES] == []


def test_nothing_in_the_tree_belongs_to_one_machine() -> None:
    found = [
        f"{path}: {match.group()}"
        for path, text in texts()
        if path != Path("tests/test_house_rules.py")
        for match in OF_ONE_MACHINE.finditer(text)
    ]
    assert found == []


def test_the_locks_name_no_place_to_fetch_from() -> None:
    locks = [path for path in tracked() if path.suffix == ".lock"]
    named = [
        f"{path}: {line}"
        for path in locks
        for line in (ROOT / path).read_text().splitlines()
        if "://" in line or OF_ONE_MACHINE.search(line)
    ]
    assert locks
    assert named == []


def test_nothing_is_left_for_later() -> None:
    left = [
        f"{path}: {match.group()}"
        for path, text in texts()
        if path.suffix in {".py", ".sql", ".yml", ".yaml", ".toml", ""}
        and path != Path("tests/test_house_rules.py")
        for match in UNFINISHED.finditer(text)
    ]
    assert left == []
