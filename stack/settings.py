"""The settings of the local stack."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from stack.addresses import Given
from stack.cache import default_cache


class StackSettings(BaseSettings):
    """What `stripeline stack` reads: what is given is used instead of started."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str = Field(
        default="",
        description="Kafka brokers to use; without it a broker is started here.",
        examples=["broker-1:9092,broker-2:9092"],
    )
    schema_registry_url: str = Field(
        default="",
        description="Schema registry to use; without it one is started here.",
        examples=["https://registry.example.com"],
        pattern="^(https?://.*)?$",
    )
    database_url: str = Field(
        default="",
        description="PostgreSQL database to use; without it a server is started here.",
        examples=["postgresql://stripeline:secret@localhost:5432/stripeline"],
        pattern="^(postgres(ql)?://.*)?$",
    )
    stripe_api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Stripe's secret or restricted key; `stack up --services` needs it.",
        examples=["sk_test_..."],
    )
    stripe_webhook_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signing secret of the webhook endpoint; `stack up --services` needs it.",
        examples=["whsec_..."],
    )
    webhook_port: int = Field(
        default=8080,
        description="Port that `stack up --services` receives webhooks on.",
        examples=[8080],
        ge=1,
        le=65_535,
    )
    stack_cache: Path = Field(
        default_factory=default_cache,
        description="Folder that keeps downloaded programs, shared by all clones.",
        examples=["~/.cache/stripeline"],
    )

    def given(self) -> Given:
        """What is used instead of started."""
        return Given(
            kafka=self.kafka_bootstrap_servers,
            registry=self.schema_registry_url,
            database=self.database_url,
        )
