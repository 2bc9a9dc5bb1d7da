"""The producer's settings: what its commands share, and what the webhook adds."""

from pydantic import Field, SecretStr, field_validator

from producer.rate_limit import (
    ENDPOINT_PER_SECOND,
    LIVE_PER_SECOND,
    TEST_PER_SECOND,
    AllowedRates,
)
from runtime.settings import Settings

PARTITIONS_MAX = 1_000
KEY_CHARACTERS_MIN = 16


class ProducerSettings(Settings):
    """What every producer command reads."""

    topic_partitions: int = Field(
        default=6,
        description=(
            "Partitions of the inbox and of each object topic; never changed once topics exist."
        ),
        examples=[6],
        ge=1,
        le=PARTITIONS_MAX,
    )
    topic_replication_factor: int = Field(
        default=1,
        description="Copies of each topic; 3 on a cluster of three brokers or more.",
        examples=[3],
        ge=1,
        le=9,
    )
    objects: str = Field(
        default="all",
        description=(
            "Stripe objects whose topics are made at start, separated by commas, or `all`; "
            "others are made when their first object arrives."
        ),
        examples=["customer,product,price,subscription,invoice"],
        min_length=1,
    )
    stripe_api_key: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "Stripe key, `sk_...` or `rk_...`. Its mode (live or test) is the only one that is "
            "stored; without a key both are."
        ),
        examples=["rk_live_..."],
    )

    stripe_api_base: str = Field(
        default="",
        description="Address of Stripe's API; empty for Stripe's own. For a simulated Stripe.",
        examples=["http://localhost:12111"],
        pattern="^(https?://.*)?$",
    )
    stripe_requests_per_second_max: float = Field(
        default=0.0,
        description=(
            "Requests a second that Stripe allows for one account; 0 takes what it allows by "
            "default: 100 with a live key, 25 with a test key."
        ),
        examples=[500],
        ge=0,
    )
    stripe_endpoint_requests_per_second_max: float = Field(
        default=ENDPOINT_PER_SECOND,
        description="Requests a second that Stripe allows to one of its endpoints.",
        examples=[100],
        gt=0,
    )

    @field_validator("stripe_api_key")
    @classmethod
    def _key_has_a_mode(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if text and not text.startswith(("sk_live_", "sk_test_", "rk_live_", "rk_test_")):
            raise ValueError("it does not begin with sk_live_, sk_test_, rk_live_ or rk_test_")
        return key

    def allowed_rates(self) -> AllowedRates:
        """What Stripe allows, as set or by the key's mode."""
        by_default = LIVE_PER_SECOND if self.livemode else TEST_PER_SECOND
        return AllowedRates(
            account_per_second=self.stripe_requests_per_second_max or by_default,
            endpoint_per_second=self.stripe_endpoint_requests_per_second_max,
        )

    @property
    def livemode(self) -> bool | None:
        """The mode of `STRIPE_API_KEY`; none without a key."""
        key = self.stripe_api_key.get_secret_value()
        return key[3:].startswith("live_") if key else None


class WebhookSettings(ProducerSettings):
    """What `stripeline producer webhook` reads."""

    stripe_webhook_secret: SecretStr = Field(
        description=(
            "Signing secret of the webhook endpoint; several, separated by commas, while one is "
            "being replaced."
        ),
        examples=["whsec_..."],
    )
    stripe_thin_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "Signing secret of the endpoint that Stripe sends thin events to "
            "(`/webhooks/stripe/thin`); several, separated by commas. Empty: the same as "
            "`STRIPE_WEBHOOK_SECRET`."
        ),
        examples=["whsec_..."],
    )
    webhook_eventbridge_key: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "Key that an Amazon EventBridge API destination sends as `Authorization: Bearer ...` "
            "to `/webhooks/stripe/eventbridge`, 16 characters or more. Empty: no such address."
        ),
        examples=["(secret)"],
    )
    webhook_event_grid_key: SecretStr = Field(
        default=SecretStr(""),
        description=(
            "Key that an Azure Event Grid subscription sends as `Authorization: Bearer ...` to "
            "`/webhooks/stripe/event-grid`, 16 characters or more. Empty: no such address."
        ),
        examples=["(secret)"],
    )
    webhook_host: str = Field(
        default="0.0.0.0",  # noqa: S104 - Stripe comes from outside the container
        description="Address that the webhook listens on.",
        examples=["127.0.0.1"],
    )
    webhook_port: int = Field(
        default=8080,
        description="Port that the webhook listens on; 0 takes a free one.",
        examples=[8080],
        ge=0,
        le=65_535,
    )
    webhook_acknowledge_seconds_max: float = Field(
        default=8.0,
        description=(
            "How long a request waits for Kafka's acknowledgement before it is answered 503, "
            "upon which Stripe sends the event again later."
        ),
        examples=[8.0],
        ge=0.5,
        le=60.0,
    )
    webhook_queue_events_max: int = Field(
        default=10_000,
        description="Events that may wait for Kafka; more are answered 503 at once.",
        examples=[10_000],
        ge=1,
        le=1_000_000,
    )

    @field_validator("stripe_webhook_secret")
    @classmethod
    def _has_a_secret(cls, secrets: SecretStr) -> SecretStr:
        if not _split(secrets.get_secret_value()):
            raise ValueError("it holds no secret")
        return secrets

    @field_validator("webhook_eventbridge_key", "webhook_event_grid_key")
    @classmethod
    def _key_is_long_enough(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if text and (len(text) < KEY_CHARACTERS_MIN or not text.isascii() or " " in text):
            raise ValueError(
                f"it needs {KEY_CHARACTERS_MIN} ASCII characters or more, without spaces"
            )
        return key

    @property
    def thin_secrets(self) -> tuple[str, ...]:
        """The signing secrets of thin events, in the order given."""
        return _split(self.stripe_thin_webhook_secret.get_secret_value()) or self.secrets

    @property
    def secrets(self) -> tuple[str, ...]:
        """The signing secrets, in the order given."""
        return _split(self.stripe_webhook_secret.get_secret_value())


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
