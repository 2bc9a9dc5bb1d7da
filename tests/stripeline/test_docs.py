"""The generated pages say what the code says, and every setting is told."""

import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from runtime.metrics import CATALOGUE
from stripeline.docs import COMPOSE, ROOT, Need, compose_defaults, documents, setting

COMPOSE_FILE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


class Example(BaseSettings):
    required: int = Field(description="Needed.", examples=[3], ge=1, le=1_000_000)
    secret: SecretStr = Field(default=SecretStr("x"), description="Kept.", examples=["y"], gt=0)
    folder: Path = Field(default_factory=Path.home, description="Where.", examples=["/data"])


@pytest.mark.parametrize("name", ["docs/settings.md", "docs/metrics.md", ".env.example"])
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")

    assert written == documents()[name], "run `make docs`"


def test_every_settings_class_of_every_service_is_told() -> None:
    page = documents()["docs/settings.md"]
    names = set[str]()
    for folder in ("producer", "sink", "simulator", "stack", "runtime"):
        for file in (ROOT / folder).rglob("*settings.py"):
            source = file.read_text(encoding="utf-8")
            names |= set(re.findall(r"^    ([a-z][a-z_]*): [^=]*= Field\(", source, re.MULTILINE))

    assert len(names) > 20
    assert [name for name in sorted(names) if f"| `{name.upper()}` |" not in page] == []


def test_every_variable_of_the_compose_file_is_told_in_the_example() -> None:
    variables = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_FILE))
    example = documents()[".env.example"]

    assert [name for name in sorted(variables) if f"\n#{name}=" not in example] == []
    assert set(COMPOSE) <= variables


def test_what_both_the_code_and_the_compose_file_default_is_the_same() -> None:
    example = documents()[".env.example"]
    for name, default in re.findall(r"\$\{([A-Z_]+):-(\{\}|[^}]+)\}", COMPOSE_FILE):
        told = re.search(rf"^#{name}=(.*)$", example, re.MULTILINE)
        assert told is not None
        if name != "STRIPE_WEBHOOK_SECRET":
            assert told.group(1) == default


def test_a_compose_default_is_read_from_the_file() -> None:
    text = 'ports: ["127.0.0.1:${KAFKA_PORT:-1}:29092"]\nA: ${NOT_OURS:-2}\n'

    assert compose_defaults(text) == {"KAFKA_PORT": "1"}


def test_the_example_file_sets_nothing_by_itself() -> None:
    lines = documents()[".env.example"].splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == []


def test_every_metric_is_told() -> None:
    page = documents()["docs/metrics.md"]

    assert [metric.name for metric in CATALOGUE if f"| `{metric.name}` |" not in page] == []


def test_a_field_becomes_its_name_its_limits_and_what_stands_in_for_it() -> None:
    required, secret, folder = (
        setting(name, field) for name, field in Example.model_fields.items()
    )

    assert (required.name, required.need, required.limits) == (
        "REQUIRED",
        Need.REQUIRED,
        "1 to 1,000,000",
    )
    assert (secret.default, secret.need, secret.limits) == ("x", Need.DEFAULT, "more than 0")
    assert (folder.default, folder.need, folder.example) == ("", Need.COMPUTED, "/data")
