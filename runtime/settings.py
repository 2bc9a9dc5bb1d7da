"""Settings from the environment and `.env`, and clear words about a wrong one."""

from typing import TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.errors import WrongSetting


class Settings(BaseSettings):
    """What every service reads; each service adds its own fields in its `settings.py`.

    A field's environment variable is its name in capitals. `examples` of a field are shown when
    its value is wrong and in the generated `docs/settings.md`.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    kafka_bootstrap_servers: str = Field(
        default="localhost:9092",
        description="Kafka brokers, `host:port`, separated by commas.",
        examples=["broker-1:9092,broker-2:9092"],
        min_length=1,
    )
    kafka_username: str = Field(
        default="",
        description="SASL user; empty for a cluster without authentication.",
        examples=["stripeline"],
    )
    kafka_password: SecretStr = Field(
        default=SecretStr(""),
        description="SASL password of `KAFKA_USERNAME`.",
        examples=["(secret)"],
    )
    kafka_security_protocol: str = Field(
        default="PLAINTEXT",
        description="How the brokers are spoken to.",
        examples=["SASL_SSL"],
        pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
    )
    kafka_sasl_mechanism: str = Field(
        default="SCRAM-SHA-512",
        description="SASL mechanism, used with a `SASL_*` security protocol.",
        examples=["PLAIN"],
        pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$",
    )
    kafka_namespace: str = Field(
        default="stripe",
        description="First part of every topic's and consumer group's name.",
        examples=["stripe_test"],
        pattern="^[a-z][a-z0-9_]*$",
    )
    schema_registry_url: str = Field(
        default="http://localhost:8081",
        description="Schema registry that speaks the Confluent API; may hold `user:password@`.",
        examples=["https://registry.example.com"],
        pattern="^https?://",
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

    def kafka(self) -> dict[str, str | int | float | bool]:
        """The librdkafka properties that say how the brokers are reached."""
        properties: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
        }
        if self.kafka_security_protocol.startswith("SASL"):
            properties["sasl.mechanisms"] = self.kafka_sasl_mechanism
            properties["sasl.username"] = self.kafka_username
            properties["sasl.password"] = self.kafka_password.get_secret_value()
        return properties


Chosen = TypeVar("Chosen", bound=BaseSettings)


def load(kind: type[Chosen]) -> Chosen:
    """The settings of `kind` from the environment and `.env`.

    Raises:
        WrongSetting: one line per wrong setting: its name, its value's fault, an example. The
            value itself is not repeated: it may be a secret.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = [_line(kind, fault["loc"], fault["msg"]) for fault in error.errors()]
        raise WrongSetting("\n".join(lines)) from None


def _line(kind: type[BaseSettings], place: tuple[int | str, ...], fault: str) -> str:
    if not place:
        # A fault of several settings together has no one name; its message tells them.
        return f"{fault}."
    name = str(place[0])
    field = kind.model_fields.get(name)
    examples = field.examples if field is not None and field.examples else []
    example = f" Example: {name.upper()}={examples[0]}" if examples else ""
    return f"{name.upper()}: {fault}.{example}"
