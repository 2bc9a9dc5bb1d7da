"""Writes the pages of `docs/` that say what the code says, and `.env.example`.

Run it as `make docs`; a test fails when the files differ from the code.
"""

import importlib
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from runtime.metrics import CATALOGUE, Kind, Metric
from schemas.endpoints import load_ways
from schemas.generate_reviewed import read_reviewed
from schemas.objects import load_catalogue
from stripeline.objects_page import objects_page

ROOT = Path(__file__).resolve().parent.parent
COMMENT_COLUMNS = 95
PAGE_COLUMNS = 115

SECTIONS = (
    (
        "Every service",
        "runtime.settings:Settings",
        "What the producer and the sink both read; the simulator reads the `HEALTH_` ones.",
    ),
    (
        "Producer",
        "producer.settings:ProducerSettings",
        "What every `stripeline producer` command reads.",
    ),
    ("Webhook", "producer.settings:WebhookSettings", "`stripeline producer webhook`."),
    ("Poller", "producer.poll_settings:PollSettings", "`stripeline producer poll`."),
    ("Relay", "producer.relay_settings:RelaySettings", "`stripeline producer relay`."),
    (
        "Backfill",
        "producer.backfill_settings:BackfillSettings",
        "`stripeline producer backfill`.",
    ),
    (
        "Reconcile",
        "producer.reconcile_settings:ReconcileSettings",
        "`stripeline producer reconcile`.",
    ),
    (
        "Database",
        "sink.settings:DatabaseSettings",
        "What every command of `stripeline sink` and `stripeline dead-letters` reads.",
    ),
    (
        "History",
        "sink.settings:HistorySettings",
        "`stripeline sink run`, `stripeline sink replay` and `stripeline dead-letters retry`.",
    ),
    ("Sink", "sink.settings:SinkSettings", "`stripeline sink run`."),
    ("Simulator", "simulator.settings:SimulatorSettings", "`stripeline simulator`."),
    ("Local stack", "stack.settings:StackSettings", "`stripeline stack` and the demo."),
)
"""Title, class, who reads it: the order of the documents. A setting stands in the first section
whose class has it, and again only where it has another default."""

COMPOSE = {
    "KAFKA_PORT": "Port of Kafka on this machine.",
    "KAFKA_HEAP_OPTS": "Memory of Kafka's Java process.",
    "REGISTRY_PORT": "Port of the schema registry on this machine.",
    "REGISTRY_JAVA_OPTIONS": "Memory of the registry's Java process.",
    "POSTGRES_PORT": "Port of Postgres on this machine.",
    "POSTGRES_PASSWORD": "Password of the database user `stripeline`; taken when it is made.",
    "WEBHOOK_HEALTH_PORT": "Port of the webhook's probes and metrics on this machine.",
    "POLL_HEALTH_PORT": "Port of the poller's probes and metrics on this machine.",
    "RELAY_HEALTH_PORT": "Port of the relay's probes and metrics on this machine.",
    "SINK_HEALTH_PORT": "Port of the sink's probes and metrics on this machine.",
}
"""What docker-compose.yml alone reads, with its meaning; the defaults come from the file."""


class Need(Enum):
    """What a service does without a setting."""

    REQUIRED = "**required**"
    """It refuses to start."""
    COMPUTED = "computed"
    """It takes a value that differs from machine to machine."""
    DEFAULT = "default"
    """It takes the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One environment variable as the documents show it.

    Attributes:
        default: as it would be written in the environment; empty for an empty one.
        need: what stands in for it when it is not set.
        limits: the values that are taken, in words; empty where any is.
        example: a value as it would be written in the environment.
    """

    name: str
    meaning: str
    default: str
    need: Need
    limits: str
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The settings of one class, without those that it inherits from an earlier section."""

    title: str
    read_by: str
    settings: tuple[Setting, ...]


def main() -> None:
    """Write every document."""
    for name, text in documents().items():
        (ROOT / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{name}\n")


def documents() -> dict[str, str]:
    """Path below the project's folder -> text that belongs there."""
    found = tuple(sections())
    compose = compose_defaults((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return {
        "docs/settings.md": settings_page(found, compose),
        "docs/metrics.md": metrics_page(CATALOGUE),
        "docs/objects.md": objects_page(load_catalogue(), load_ways(), read_reviewed().not_stored),
        ".env.example": environment_file(found, compose),
    }


def sections() -> Iterator[Section]:
    """The settings of all services, in the order of `SECTIONS`."""
    shown: dict[str, FieldInfo] = {}
    for title, path, read_by in SECTIONS:
        module, _, name = path.partition(":")
        kind: type[BaseSettings] = getattr(importlib.import_module(module), name)
        own = {
            name: field
            for name, field in kind.model_fields.items()
            if name not in shown or field.default != shown[name].default
        }
        shown |= own
        settings = tuple(setting(name, field) for name, field in own.items())
        yield Section(title=title, read_by=read_by, settings=settings)


def setting(name: str, field: FieldInfo) -> Setting:
    """What the documents say of one field of a settings class."""
    assert field.description, f"{name} has no description"
    assert field.examples, f"{name} has no example"
    return Setting(
        name=name.upper(),
        meaning=field.description,
        default="" if field.default_factory else written(field.default),
        need=need(field),
        limits=limits(field),
        example=written(field.examples[0]),
    )


def need(field: FieldInfo) -> Need:
    """What a service does without this field."""
    if field.is_required():
        return Need.REQUIRED
    return Need.COMPUTED if field.default_factory else Need.DEFAULT


def written(value: Any) -> str:
    """A value as it is written in the environment; empty where there is none."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_defaults=True)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or str(value) == "PydanticUndefined" else str(value)


def limits(field: FieldInfo) -> str:
    """The numbers that a field takes, in words."""
    low = high = ""
    for limit in field.metadata:
        match limit:
            case Ge(ge=bound):
                low = f"{bound:,}"
            case Gt(gt=bound):
                low = f"more than {bound:,}"
            case Le(le=bound):
                high = f"{bound:,}"
            case Lt(lt=bound):
                high = f"less than {bound:,}"
            case _:
                pass
    if low and high:
        return f"{low} to {high}"
    if low:
        return low if low.startswith("more") else f"{low} or more"
    return f"at most {high}" if high else ""


def compose_defaults(text: str) -> dict[str, str]:
    """Variable -> default of each `${NAME:-default}` that docker-compose.yml alone reads."""
    return {
        name: default
        for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", text)
        if name in COMPOSE
    }


def settings_page(found: tuple[Section, ...], compose: Mapping[str, str]) -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        *_paragraph(
            "Every setting is an environment variable, or a line of a file `.env` in the working "
            "folder (the environment wins). A service that finds a wrong one says its name, the "
            "fault and an example, and ends with exit code 2; `stripeline doctor` looks at all of "
            "them. `.env.example` lists the same settings to copy from."
        ),
        "",
        "_Generated from the code by `make docs`._",
    ]
    for section in found:
        lines += ["", f"## {section.title}", "", section.read_by, ""]
        lines += ["| Variable | Meaning | Default | Example |", "| --- | --- | --- | --- |"]
        lines += [_settings_row(one) for one in section.settings]
    lines += ["", "## docker-compose.yml", "", "What the compose file alone reads.", ""]
    lines += ["| Variable | Meaning | Default |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {meaning} | `{compose[name]}` |" for name, meaning in COMPOSE.items()]
    return "\n".join(lines) + "\n"


def _settings_row(one: Setting) -> str:
    meaning = f"{one.meaning} ({one.limits})" if one.limits else one.meaning
    default = f"`{one.default}`" if one.default else "empty"
    if one.need is not Need.DEFAULT:
        default = one.need.value
    return f"| `{one.name}` | {_cell(meaning)} | {default} | `{_cell(one.example)}` |"


def metrics_page(catalogue: tuple[Metric, ...]) -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        *_paragraph(
            "Each service answers Prometheus at `/metrics` on its `HEALTH_PORT`, beside "
            "`/healthz` (its loop moves) and `/readyz` (it can do its work). Alerts with their "
            "queries are in [operations.md](operations.md#alerts)."
        ),
        "",
        "_Generated from the code by `make docs`._",
        "",
        "| Metric | Kind | Labels | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    lines += [_metrics_row(metric) for metric in catalogue]
    return "\n".join(lines) + "\n"


def _metrics_row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    kind = metric.kind.value
    if metric.kind is Kind.HISTOGRAM:
        kind = f"{kind}, {metric.buckets[0]:g} to {metric.buckets[-1]:g}"
    return f"| `{metric.name}` | {kind} | {labels} | {_cell(metric.meaning)} |"


def environment_file(found: tuple[Section, ...], compose: Mapping[str, str]) -> str:
    """.env.example: every setting with its default, each commented out."""
    lines = _comment(
        "Copy to `.env` and uncomment what differs. Against real Stripe STRIPE_API_KEY and "
        "STRIPE_WEBHOOK_SECRET are all that is needed. docs/settings.md says more."
    )
    told: set[str] = set()
    for section in found:
        lines += ["", f"# ---- {section.title}"]
        for one in section.settings:
            if one.name in told:
                continue
            told.add(one.name)
            lines += [
                "",
                *_comment(f"{one.meaning} ({one.limits})" if one.limits else one.meaning),
            ]
            if one.example != one.default:
                lines += _comment(f"Example: {one.example}")
            lines.append(f"#{one.name}={one.default}")
    lines += ["", "# ---- docker-compose.yml alone"]
    for name, meaning in COMPOSE.items():
        lines += ["", *_comment(meaning), f"#{name}={compose[name]}"]
    return "\n".join(lines) + "\n"


def _paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, width=PAGE_COLUMNS, break_long_words=False)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=COMMENT_COLUMNS,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
