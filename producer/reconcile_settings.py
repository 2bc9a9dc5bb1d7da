"""What `stripeline producer reconcile` reads beside the producer's own settings."""

from pydantic import Field, SecretStr

from producer.settings import ProducerSettings


class ReconcileSettings(ProducerSettings):
    """What `stripeline producer reconcile` reads."""

    stripe_api_key: SecretStr = Field(
        description=(
            "Stripe key, `sk_...` or `rk_...`, with read access to what is compared. Its mode "
            "(live or test) is the only one that is looked at."
        ),
        examples=["rk_live_..."],
        min_length=1,
    )
    reconcile_settle_seconds: float = Field(
        default=30.0,
        description=(
            "How long a change may take from Stripe to its topic: what differs from Stripe's "
            "lists is looked at again after so long, before it is called drift and repaired."
        ),
        examples=[30],
        ge=0,
        le=3_600,
    )
