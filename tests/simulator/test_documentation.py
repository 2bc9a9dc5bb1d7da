"""docs/simulator.md names all that it should."""

import re
from pathlib import Path

from simulator.channel import ATTEMPTS_MAX
from simulator.endpoints import Endpoint, Envelope, Payload
from simulator.events import API_VERSION
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind, WebhookFaults
from simulator.resources.catalogue import ENDPOINTS
from simulator.resources.payment_methods import KNOWN_CARDS
from simulator.server import Simulator
from simulator.settings import SimulatorSettings
from simulator.simulation import Options

PAGE = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


def test_every_endpoint_and_action_is_named() -> None:
    words = {resource.path for resource in ENDPOINTS}
    words |= {verb for resource in ENDPOINTS for verb in resource.actions}

    assert {word for word in words if f"`{word}`" not in PAGE} == set()


def test_every_word_of_a_fault_plan_is_named() -> None:
    words = {*FaultPlan.model_fields, *WebhookFaults.model_fields, *ResponseFault.model_fields}
    words |= {kind.value for kind in ResponseFaultKind}

    assert {word for word in words if not re.search(rf'["`]{word}["`]', PAGE)} == set()


def test_every_test_card_is_named() -> None:
    assert {name for name in KNOWN_CARDS if f"`pm_card_{name}`" not in PAGE} == set()


def test_every_control_method_is_named() -> None:
    methods = {name for name in vars(Simulator) if not name.startswith("_")}
    of_a_thread = {"start", "stop", "running"}

    assert {name for name in methods - of_a_thread if f"{name}(" not in PAGE} == set()


def test_every_field_of_an_endpoint_and_every_envelope_is_named() -> None:
    words = {*Endpoint.__dataclass_fields__, *Envelope, *Payload}

    assert {word for word in words if f"`{word}`" not in PAGE} == set()


def test_the_plan_on_the_page_is_a_plan() -> None:
    shown = PAGE.split("put_faults(FaultPlan(...))`:")[1].split("Shares are")[0]

    assert FaultPlan.model_validate_json(shown).webhooks.dropped == 0.05


def test_the_page_tells_the_version_and_the_attempts() -> None:
    assert API_VERSION in PAGE
    assert f"up to {ATTEMPTS_MAX} times" in PAGE


def test_a_setting_and_its_option_begin_alike() -> None:
    settings, options = SimulatorSettings(_env_file=None), Options()

    assert settings.webhook_secrets() == options.webhook_secrets
    assert settings.simulator_webhook_retry_seconds == options.webhook_retry_seconds
    assert settings.simulator_api_version == options.api_version
    assert (settings.simulator_seed, settings.simulator_faults) == (options.seed, options.faults)
