"""What `stripeline producer reconcile` reads beside the producer's own settings."""

from pydantic import Field

from producer.settings import ProducerSettings


class ReconcileSettings(ProducerSettings):
    """What `stripeline producer reconcile` reads."""

    reconcile_settle_seconds: float = Field(
        default=30.0,
        description=(
            "How long a change may take from Stripe to its topic: what differs from Stripe's lists "
            "is looked at again after so long, before it is called drift and repaired."
        ),
        examples=[30],
        ge=0,
        le=3_600,
    )
