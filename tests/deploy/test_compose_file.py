"""What holds for docker-compose.yml, read as text: no engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from producer.poll_settings import PollSettings
from producer.relay_settings import RelaySettings
from producer.settings import WebhookSettings
from simulator.settings import SimulatorSettings
from sink.settings import SinkSettings
from stripeline.docs import written

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
OURS: dict[str, type[BaseSettings]] = {
    "producer-webhook": WebhookSettings,
    "producer-relay": RelaySettings,
    "producer-poll": PollSettings,
    "sink": SinkSettings,
    "simulator": SimulatorSettings,
}


EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a container
NEEDLESS = {"KAFKA_USERNAME", "KAFKA_PASSWORD", "KAFKA_SASL_MECHANISM"}
"""The Kafka of the composition asks nobody for them."""
INSIDE: dict[str, str | int] = {
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
    "TOPIC_REPLICATION_FACTOR": 1,
    "SCHEMA_REGISTRY_URL": "http://registry:8080/apis/ccompat/v7",
    "DATABASE_URL": (
        "postgresql://stripeline:${POSTGRES_PASSWORD:-stripeline}@postgres:5432/stripeline"
    ),
    "HEALTH_HOST": EVERYWHERE,
    "HEALTH_PORT": 9100,
    "WEBHOOK_HOST": EVERYWHERE,
    "WEBHOOK_PORT": 8080,
    "RELAY_INSTANCE": "relay-0",
    "RELAY_MEMORY_FOLDER": "/var/lib/stripeline",
    "SIMULATOR_HOST": EVERYWHERE,
    "SIMULATOR_PORT": 12111,
    "SIMULATOR_WEBHOOK_URL": "http://producer-webhook:8080/webhooks/stripe",
}
"""What follows from the services beside it."""


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
    return found


SERVICES = services()
FOREIGN = [name for name in SERVICES if name not in OURS]


def needed_by(name: str) -> set[str]:
    return set(SERVICES[name].get("depends_on", {}))


def test_the_file_names_every_part() -> None:
    assert set(SERVICES) == {"kafka", "registry", "postgres", *OURS}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_comes_back_after_a_crash(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_image_is_pinned_to_a_version_and_checked_for_health(name: str) -> None:
    service = SERVICES[name]

    assert re.fullmatch(r"[a-z/-]+:[0-9]+(\.[0-9]+)*", service["image"])
    test = service["healthcheck"]["test"]
    # An argument with a space in it is not kept whole by every engine.
    assert test[0] == "CMD-SHELL" or not any(" " in argument for argument in test)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_only_after_what_it_needs_is_healthy(name: str) -> None:
    for needed, condition in SERVICES[name].get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}, needed


def test_each_service_waits_for_the_parts_that_it_speaks_to() -> None:
    assert needed_by("registry") == {"kafka"}
    assert needed_by("producer-webhook") == {"kafka"}
    assert needed_by("producer-relay") == {"kafka", "registry"}
    assert needed_by("producer-poll") == {"kafka"}
    assert needed_by("sink") == {"kafka", "registry", "postgres"}
    assert needed_by("simulator") == {"producer-webhook"}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_only_and_can_be_chosen(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-[0-9]+\}:[0-9]+", port)


def test_no_two_services_publish_the_same_port() -> None:
    ports = re.findall(r"127\.0\.0\.1:\$\{[A-Z_]+:-([0-9]+)\}", TEXT)

    assert len(ports) == len(set(ports))


def test_what_must_outlive_a_container_lies_on_a_named_volume() -> None:
    volumes = {name: SERVICES[name].get("volumes") for name in SERVICES}

    assert volumes["kafka"] == ["kafka:/var/lib/kafka/data"]
    assert SERVICES["kafka"]["environment"]["KAFKA_LOG_DIRS"] == "/var/lib/kafka/data"
    assert volumes["postgres"] == ["postgres:/var/lib/postgresql/data"]
    folder = SERVICES["producer-relay"]["environment"]["RELAY_MEMORY_FOLDER"]
    assert volumes["producer-relay"] == [f"relay:{folder}"]
    assert set(yaml.safe_load(TEXT)["volumes"]) == {"kafka", "postgres", "relay"}


def test_the_simulator_runs_in_the_demo_only_and_the_poller_with_a_key_of_stripe() -> None:
    profiles = {name: SERVICES[name].get("profiles") for name in SERVICES}

    assert profiles.pop("simulator") == ["demo"]
    assert profiles.pop("producer-poll") == ["stripe"]
    assert set(profiles.values()) == {None}


@pytest.mark.parametrize("name", OURS)
def test_our_containers_can_write_nowhere_and_have_no_rights(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_given_settings_that_they_read(name: str) -> None:
    known = {field.upper() for field in OURS[name].model_fields}

    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", OURS)
def test_every_setting_reaches_the_service_that_reads_it_or_is_written_out(name: str) -> None:
    known = {field.upper() for field in OURS[name].model_fields}

    assert known - NEEDLESS == set(SERVICES[name]["environment"])


@pytest.mark.parametrize("name", OURS)
def test_nothing_in_the_file_env_leads_a_service_out_of_the_composition(name: str) -> None:
    environment = SERVICES[name]["environment"]
    inside = {setting: value for setting, value in environment.items() if setting in INSIDE}

    assert inside == {setting: INSIDE[setting] for setting in inside}
    assert set(INSIDE) & {field.upper() for field in OURS[name].model_fields} == set(inside)


@pytest.mark.parametrize("name", OURS)
def test_every_other_setting_is_passed_on_with_the_services_own_default(name: str) -> None:
    defaults = {
        field.upper(): written(found.default) for field, found in OURS[name].model_fields.items()
    }
    # The composition answers to its own simulator until another secret is given.
    defaults["STRIPE_WEBHOOK_SECRET"] = "whsec_simulator"

    for setting, value in SERVICES[name]["environment"].items():
        if setting not in INSIDE:
            assert value == f"${{{setting}:-{defaults[setting]}}}"


@pytest.mark.parametrize("name", SERVICES)
def test_every_value_works_without_a_file_of_ones_own(name: str) -> None:
    for value in SERVICES[name]["environment"].values():
        for variable, default in re.findall(r"\$\{([A-Z_]+)(:-[^}]*)?\}", str(value)):
            assert default, f"{variable} has no default"


def test_nobodys_secret_is_in_the_file() -> None:
    assert not re.search(r"(sk|rk)_(live|test)_\w", TEXT)
    assert set(re.findall(r"whsec_\w+", TEXT)) == {"whsec_simulator"}
