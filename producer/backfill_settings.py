"""The backfill's settings."""

from pydantic import Field, SecretStr

from producer.settings import ProducerSettings


class BackfillSettings(ProducerSettings):
    """What `stripeline producer backfill` reads."""

    stripe_api_key: SecretStr = Field(
        description=(
            "Stripe key, `sk_...` or `rk_...`, that may read what is to be backfilled (with "
            "`--connected` accounts as well); what it may not read is skipped and told."
        ),
        examples=["rk_live_..."],
        min_length=1,
    )
