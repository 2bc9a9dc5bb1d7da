"""What holds for the images, read as text: Dockerfile, lock files, what is sent to the builder."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
TARGETS = ("producer", "simulator", "sink")
SHARED = {"runtime", "schemas", "stripeline"}
OTHERS_FILES = {
    "producer": ("stripeline/doctor_postgres.py", "schemas/generate"),
    "simulator": ("stripeline/doctor_postgres.py", "schemas/generate"),
    "sink": ("stripeline/doctor_stripe.py", "schemas/generate"),
}
"""What lies in an image and is imported only where the other service is installed, or never."""


def stage(name: str) -> str:
    """The text of one stage."""
    found = re.search(
        rf"^FROM \S+ AS {name}$(.*?)(?=^FROM |\Z)", DOCKERFILE, re.MULTILINE | re.DOTALL
    )
    assert found, name
    return found.group(1)


def pins(path: str) -> dict[str, str]:
    """Distribution -> version of a lock file."""
    text = (ROOT / "requirements" / path).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", text, re.MULTILINE))


def wished(path: str) -> set[str]:
    """The distributions that a `.in` file names, without extras."""
    lines = (ROOT / "requirements" / path).read_text(encoding="utf-8").splitlines()
    return {re.sub(r"\[.*\]", "", line) for line in lines if line and not line.startswith("#")}


def imported(folder: str, *, without: tuple[str, ...]) -> set[str]:
    """The distributions that the code of a folder imports at run time."""
    found: set[str] = set()
    for path in sorted((ROOT / folder).rglob("*.py")):
        if str(path.relative_to(ROOT)).startswith(without):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    distributions = packages_distributions()
    foreign = found - sys.stdlib_module_names - SHARED - {"producer", "simulator", "sink", "stack"}
    return {distributions[name][0].lower().replace("_", "-") for name in foreign}


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_nobody_in_particular_and_without_a_shell_between(target: str) -> None:
    last = stage(target)

    assert "USER stripeline" in last
    assert re.search(r"^CMD \[", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["stripeline"\]$', stage("service"), re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", stage("service"), re.MULTILINE)


def test_every_image_has_a_health_check_that_needs_no_shell() -> None:
    assert re.search(r'^HEALTHCHECK .*\\\n\s+CMD \["python"', stage("service"), re.MULTILINE)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_holds_its_own_service_and_no_other(target: str) -> None:
    others = {"producer", "simulator", "sink", "stack"} - {target}
    copied = set(re.findall(r"^COPY (\w+) \w+$", stage(target), re.MULTILINE))

    assert copied == {target}
    assert not others & copied


def test_nothing_is_compiled_or_fetched_without_a_hash() -> None:
    installs = re.findall(r"^RUN pip install (.*?)(?: \\)?$", DOCKERFILE, re.MULTILINE)

    assert len(installs) == 3
    assert all("--require-hashes" in line and "--only-binary=:all:" in line for line in installs)
    assert not re.search(r"\b(apt-get|apk|gcc|curl|wget)\b", DOCKERFILE)


def test_every_base_image_is_named_with_its_version_and_nothing_newer_than_old_engines_know() -> (
    None
):
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    stages = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))

    assert bases - stages == {"python:3.11-slim"}
    assert "--link" not in DOCKERFILE
    assert "<<" not in DOCKERFILE


@pytest.mark.parametrize("service", ["producer", "sink"])
def test_a_services_lock_has_the_versions_that_are_tested(service: str) -> None:
    tested = pins("runtime.lock")
    locked = pins(f"{service}.lock")

    assert len(locked) > 20
    assert {name: tested.get(name) for name in locked} == locked, "run requirements/lock.sh"
    assert wished(f"{service}.in") <= set(locked)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_every_library_that_its_code_imports(target: str) -> None:
    needed: set[str] = set()
    for folder in {target, *SHARED}:
        needed |= imported(folder, without=(*OTHERS_FILES[target], "stripeline/docs.py"))

    assert needed - wished("sink.in" if target == "sink" else "producer.in") == set()


def test_the_services_libraries_together_are_the_projects() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]["dependencies"]
    names = {re.split(r"[\[<>=~ ]", line)[0] for line in project}

    assert wished("producer.in") | wished("sink.in") <= names


def test_only_what_the_images_need_is_sent_to_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    assert rules[0] == "*"
    sent = {rule.removeprefix("!").split("/")[0] for rule in rules if rule.startswith("!")}
    assert sent == {"deploy", "requirements", "producer", "simulator", "sink", *SHARED}
    assert "**/.env" in rules
