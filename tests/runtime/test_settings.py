"""A wrong setting names itself, its fault and an example, and never repeats its value."""

from pathlib import Path
from typing import Self

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator

from runtime.errors import ExitCode, WrongSetting
from runtime.settings import Settings, load

SECRET = "sk_live_do_not_repeat_me"


class ServiceSettings(Settings):
    """A service's settings with one field of each shape that matters here."""

    batch_records_max: int = Field(description="d", examples=[500], ge=1)
    api_key: SecretStr = Field(default=SecretStr(""), description="d", examples=["sk_test_..."])

    @field_validator("api_key")
    @classmethod
    def _key_begins_right(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value().startswith("sk_live_"):
            raise ValueError("it is a live key")
        return key


class RelatedSettings(ServiceSettings):
    """Two settings that must fit each other."""

    batch_bytes_max: int = Field(default=10, description="d", examples=[10])

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.batch_records_max > self.batch_bytes_max:
            raise ValueError("BATCH_RECORDS_MAX is too large for BATCH_BYTES_MAX")
        return self


@pytest.fixture(autouse=True)
def an_empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_missing_setting_is_named_with_an_example() -> None:
    with pytest.raises(WrongSetting) as caught:
        load(ServiceSettings)

    assert str(caught.value) == (
        "BATCH_RECORDS_MAX: Field required. Example: BATCH_RECORDS_MAX=500"
    )
    assert caught.value.exit_code is ExitCode.WRONG_USAGE


def test_every_wrong_setting_gets_its_own_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", "0")
    monkeypatch.setenv("KAFKA_NAMESPACE", "Not-A-Namespace")

    with pytest.raises(WrongSetting) as caught:
        load(ServiceSettings)

    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert any(line.startswith("BATCH_RECORDS_MAX: ") and "=500" in line for line in lines)
    assert any(line.startswith("KAFKA_NAMESPACE: ") and "=stripe_test" in line for line in lines)


def test_a_fault_of_two_settings_together_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", "1000")

    with pytest.raises(WrongSetting, match="BATCH_RECORDS_MAX is too large for BATCH_BYTES_MAX"):
        load(RelatedSettings)


def test_a_wrong_secret_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", "1")
    monkeypatch.setenv("API_KEY", SECRET)

    with pytest.raises(WrongSetting) as caught:
        load(ServiceSettings)

    assert "API_KEY" in str(caught.value)
    assert "it is a live key" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_the_value_of_a_wrong_plain_setting_is_not_repeated_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", SECRET)

    with pytest.raises(WrongSetting) as caught:
        load(ServiceSettings)

    assert SECRET not in str(caught.value)


def test_a_secret_does_not_show_in_the_settings_own_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", "1")
    monkeypatch.setenv("KAFKA_PASSWORD", SECRET)

    settings = load(ServiceSettings)

    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)
    assert SECRET not in settings.model_dump_json()
    assert settings.kafka_password.get_secret_value() == SECRET


def test_settings_come_from_a_dotenv_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("BATCH_RECORDS_MAX=7\nKAFKA_NAMESPACE=from_file\nUNKNOWN=1\n")
    monkeypatch.setenv("KAFKA_NAMESPACE", "from_environment")

    settings = load(ServiceSettings)

    assert settings.batch_records_max == 7
    assert settings.kafka_namespace == "from_environment"


def test_only_a_sasl_protocol_sends_a_user_and_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_RECORDS_MAX", "1")
    monkeypatch.setenv("KAFKA_USERNAME", "stripeline")
    monkeypatch.setenv("KAFKA_PASSWORD", SECRET)
    plain = load(ServiceSettings).kafka()
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    secured = load(ServiceSettings).kafka()

    assert "sasl.password" not in plain
    assert secured["sasl.username"] == "stripeline"
    assert secured["sasl.password"] == SECRET
    assert secured["sasl.mechanisms"] == "SCRAM-SHA-512"
    assert secured["security.protocol"] == "SASL_SSL"
