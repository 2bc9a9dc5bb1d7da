"""The settings of the sink."""

from pydantic import Field, SecretStr

from runtime.settings import Settings
from schemas.topics import table_name


class DatabaseSettings(Settings):
    """Where the rows go."""

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://localhost:5432/postgres"),
        description=(
            "Postgres, as libpq reads it. The role needs no superuser: it owns the schemas, or "
            "may create them."
        ),
        examples=["postgresql://stripeline:secret@db.example.com/app?sslmode=verify-full"],
    )
    database_schema: str = Field(
        default="stripe",
        description=(
            "Postgres schema of the tables; connected accounts' rows go to the schema of this "
            "name with `_connect` at its end."
        ),
        examples=["stripe"],
        pattern="^[a-z_][a-z0-9_]{0,50}$",
    )


class HistorySettings(DatabaseSettings):
    """What writes rows reads: `stripeline sink run` and `replay`, and `dead-letters retry`."""

    history: str = Field(
        default="",
        description=(
            "Stripe objects, separated by commas, of which every change is kept as well, in the "
            "Postgres schema of this name with `_history` at its end."
        ),
        examples=["subscription,invoice"],
    )

    @property
    def history_tables(self) -> tuple[str, ...]:
        """The tables of the objects of `HISTORY`."""
        return tuple(table_name(name.strip()) for name in self.history.split(",") if name.strip())


class SinkSettings(HistorySettings):
    """What `stripeline sink run` reads."""

    sink_batch_records_max: int = Field(
        default=10_000,
        description="Changes in one transaction at most.",
        examples=[10_000],
        ge=1,
        le=1_000_000,
    )
    sink_batch_bytes_max: int = Field(
        default=32 * 1024 * 1024,
        description=(
            "Bytes of Kafka records in one transaction at most (one record may exceed it). The "
            "sink needs about ten times this in memory."
        ),
        examples=[33_554_432],
        ge=1,
    )
    sink_dead_letters_in_a_row_max: int = Field(
        default=20,
        description=(
            "The sink stops when so many records of one partition, one after the other, could "
            "not be written: then the fault is not in the records."
        ),
        examples=[20],
        ge=1,
    )
    sink_dead_letters_per_thousand_max: int = Field(
        default=50,
        description=(
            "The sink stops when more of 1,000 records of one partition could not be written; "
            "those that are retried or discarded count no longer."
        ),
        examples=[50],
        ge=1,
        le=1_000,
    )
