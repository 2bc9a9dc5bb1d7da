"""The simulator's settings."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from runtime.settings import Settings as SharedSettings
from simulator.events import API_VERSION, VERSION_PATTERN
from simulator.faults import FaultPlan
from simulator.sending import URL_PATTERN


class SimulatorSettings(BaseSettings):
    """What `stripeline simulator` reads. It needs neither Kafka nor a schema registry."""

    model_config = SharedSettings.model_config

    simulator_host: str = Field(
        default="127.0.0.1",
        description="Address that the simulated Stripe listens on. Its control endpoints ask for "
        "no key: let only your own tests reach it.",
        examples=["0.0.0.0"],  # noqa: S104 - an example for a container
    )
    simulator_port: int = Field(
        default=12_111,
        description="Port of the simulated Stripe; 0 takes a free one, logged as `port`.",
        examples=[12_111],
        ge=0,
        le=65_535,
    )
    simulator_webhook_url: str = Field(
        default="",
        description="Where the simulated Stripe sends its webhooks; empty sends none.",
        examples=["http://127.0.0.1:8080/webhooks/stripe"],
        pattern=URL_PATTERN,
    )
    stripe_webhook_secret: SecretStr = Field(
        default=SecretStr("whsec_simulator"),
        description="Signing secret of the webhooks; several, separated by commas, while one is "
        "being replaced by another.",
        examples=["whsec_..."],
    )
    simulator_webhook_lanes: int = Field(
        default=1,
        description="Webhooks in flight at once; 1 sends them strictly in order, more keep only "
        "each object's own in order.",
        examples=[16],
        ge=1,
        le=64,
    )
    simulator_webhook_retry_seconds: float = Field(
        default=1.0,
        description="Wait before a refused webhook is sent again; doubled each time.",
        examples=[0.2],
        gt=0,
    )
    simulator_api_version: str = Field(
        default=API_VERSION,
        description="API version of the simulated account: of its events, and of answers to "
        "requests that ask for none.",
        examples=["2025-02-24.acacia"],
        pattern=VERSION_PATTERN,
    )
    simulator_requests_per_second: float = Field(
        default=0.0,
        description="Requests of one account that are answered in a second, more get 429; 0 for "
        "no limit.",
        examples=[25],
        ge=0,
    )
    simulator_requests_per_second_per_endpoint: float = Field(
        default=0.0,
        description="The same for one endpoint: one method and path.",
        examples=[25],
        ge=0,
    )
    simulator_seed: int = Field(
        default=0,
        description="Decides every id: the same seed and requests give the same objects.",
        examples=[7],
    )
    simulator_livemode: bool = Field(
        default=False,
        description="Whether its objects are live ones, made with `sk_live_` keys.",
        examples=[True],
    )
    simulator_faults: FaultPlan = Field(
        default=FaultPlan(),
        description="What goes wrong, as JSON; docs/simulator.md tells what a plan may hold.",
        examples=['{"seed": 7, "webhooks": {"duplicated": 0.1, "dropped": 0.05}}'],
    )
    health_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - probes come from outside the container
        description="Address that `/healthz`, `/readyz` and `/metrics` listen on.",
        examples=["127.0.0.1"],
    )
    health_port: int = Field(
        default=9100,
        description="Port of `/healthz`, `/readyz` and `/metrics`; 0 takes a free one.",
        examples=[9100],
        ge=0,
        le=65_535,
    )

    def webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets, one by one."""
        given = self.stripe_webhook_secret.get_secret_value().split(",")
        return tuple(secret.strip() for secret in given if secret.strip())
