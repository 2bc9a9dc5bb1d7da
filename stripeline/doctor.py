"""`stripeline doctor`: looks at settings, Kafka, registry, Postgres and Stripe."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TypeVar

import typer
from pydantic_settings import BaseSettings
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runtime.errors import WrongSetting
from runtime.settings import Settings, load
from schemas.topics import Names
from stripeline.doctor_kafka import kafka_findings
from stripeline.doctor_registry import registry_findings
from stripeline.findings import Finding, Verdict, exit_code

TIMEOUT_SECONDS = 5
STRIPE_API_BASE = "https://api.stripe.com"
SETTINGS = "Settings"
PARTS = (SETTINGS, "Kafka", "Registry", "Postgres", "Stripe")
COLOURS = {
    Verdict.FINE: "green",
    Verdict.NOTE: "cyan",
    Verdict.WRONG: "red",
    Verdict.UNREACHABLE: "yellow",
}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def doctor() -> None:
    """Look at settings, Kafka, registry, Postgres and Stripe; say what to do about each fault.

    Reads the same environment and `.env` as the services, changes nothing, prints no secret, and
    waits at most a few seconds for each answer.

    Exit code: 0 all fine; 2 a setting is wrong or a step is missing; 3 something does not answer.
    """
    found = examined()
    Console().print(shown(found))
    raise typer.Exit(exit_code(found))


def examined() -> list[Finding]:
    """Everything that can be looked at; what a wrong setting hides is left out."""
    settings, found = _loaded(Settings, service="every service")
    partitions: int | None = None
    # An image holds one service and its libraries only, and needs no other's.
    if find_spec("producer") is not None:
        partitions, producer = _producer()
        found += producer
    if find_spec("sink") is not None:
        found += _sink()
    if settings is not None:
        found += _kafka(settings, partitions=partitions)
        found += _registry(settings)
    return sorted(found, key=lambda finding: PARTS.index(finding.part))


def _producer() -> tuple[int | None, list[Finding]]:
    """The setting TOPIC_PARTITIONS, where it is right, and what was found."""
    from producer.relay_settings import RelaySettings
    from producer.settings import WebhookSettings
    from stripeline.doctor_stripe import secret_findings, stripe_findings

    webhook, found = _loaded(WebhookSettings, service="producer webhook")
    if webhook is not None:
        found += secret_findings(webhook.secrets)
    relay, wrong = _loaded(RelaySettings, service="producer relay")
    if relay is None:
        return None, found + wrong
    asked = stripe_findings(
        api_key=relay.stripe_api_key.get_secret_value(),
        api_base=relay.stripe_api_base or STRIPE_API_BASE,
        timeout_seconds=TIMEOUT_SECONDS,
    )
    return relay.topic_partitions, found + wrong + asked


def _sink() -> list[Finding]:
    from sink.settings import SinkSettings
    from sink.sql import migrations
    from stripeline.doctor_postgres import postgres_findings

    settings, found = _loaded(SinkSettings, service="sink")
    if settings is None:
        return found
    return found + postgres_findings(
        settings.database_url.get_secret_value(),
        schema=settings.database_schema,
        migrations=frozenset(name for name, _ in migrations()),
        timeout_seconds=TIMEOUT_SECONDS,
        history=bool(settings.history_tables),
    )


def _kafka(settings: Settings, *, partitions: int | None) -> list[Finding]:
    return kafka_findings(
        settings.kafka(),
        names=Names(namespace=settings.kafka_namespace),
        partitions=partitions,
        timeout_seconds=TIMEOUT_SECONDS,
    )


def _registry(settings: Settings) -> list[Finding]:
    return registry_findings(
        settings.schema_registry_url,
        names=Names(namespace=settings.kafka_namespace),
        timeout_seconds=TIMEOUT_SECONDS,
    )


Chosen = TypeVar("Chosen", bound=BaseSettings)


def _loaded(kind: type[Chosen], *, service: str) -> tuple[Chosen | None, list[Finding]]:
    """A service's settings, and a finding for each that is wrong."""
    try:
        settings = load(kind)
    except WrongSetting as error:
        return None, [_wrong_setting(line, service=service) for line in str(error).splitlines()]
    fine = Finding(part=SETTINGS, subject=service, verdict=Verdict.FINE, words="complete")
    return settings, [fine]


def _wrong_setting(line: str, *, service: str) -> Finding:
    fault, _, example = line.partition(" Example: ")
    return Finding(
        part=SETTINGS,
        subject=service,
        verdict=Verdict.WRONG,
        words=fault,
        advice=f"Set it in the environment or in .env: {example or 'see docs/settings.md'}",
    )


def shown(found: Sequence[Finding]) -> Table:
    """The findings as a table; the advice stands below the words that call for it."""
    table = Table("", "part", "looked at", "found", title_justify="left")
    for finding in found:
        words = Text(finding.words)
        if finding.advice:
            words.append(f"\n{finding.advice}", style="bold")
        table.add_row(
            Text(finding.verdict.value, style=COLOURS[finding.verdict]),
            finding.part,
            finding.subject,
            words,
        )
    return table
