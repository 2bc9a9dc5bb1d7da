"""What is compiled is compiled where it can be, and nothing is half done where it cannot."""

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "def doubled(int number):\n    return 2 * number\n"


def imported(name: str, path: Path) -> ModuleType:
    """A module that stands in no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def compile_module() -> ModuleType:
    return imported("compile_", ROOT / "deploy" / "compile.py")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with one package, of which one file is to be compiled."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "twice.pyx").write_text(SOURCE)
    return tmp_path


def files(package: Path) -> list[str]:
    return sorted(path.name for path in (package / "package").iterdir())


def test_a_module_stands_beside_its_source_and_can_be_imported(
    compile_module: ModuleType, package: Path
) -> None:
    try:
        (made,) = compile_module.compile_all(package)
    except compile_module.NotCompiled as error:
        pytest.skip(f"nothing can be compiled here: {error}")

    assert imported("twice", made).doubled(21) == 42
    assert files(package) == sorted(["twice.pyx", made.name])


def test_a_fault_in_the_source_is_told_and_leaves_nothing(
    compile_module: ModuleType, package: Path
) -> None:
    (package / "package" / "twice.pyx").write_text(SOURCE.replace("return", "retrun"))
    with pytest.raises(compile_module.NotCompiled):
        compile_module.compile_all(package)
    assert files(package) == ["twice.pyx"]


def test_a_compiler_that_is_not_there_is_named(
    compile_module: ModuleType, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(compile_module.NotCompiled, match=r"no-such-compiler|headers"):
        compile_module.compile_all(package)
    assert files(package) == ["twice.pyx"]


def test_where_there_is_no_compiler_it_says_what_to_install(
    compile_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(compile_module.NotCompiled, match=r"compiler\.lock"):
        compile_module.compiler()


def test_missing_headers_are_named(
    compile_module: ModuleType, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "cc")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(package))
    with pytest.raises(compile_module.NotCompiled, match="python3-dev"):
        compile_module.compile_all(package)
