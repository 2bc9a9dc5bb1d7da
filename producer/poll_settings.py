"""The poller's settings."""

from pydantic import Field, SecretStr

from producer.connected_accounts import LISTED_SECONDS
from producer.settings import ProducerSettings
from runtime.errors import WrongSetting


class PollSettings(ProducerSettings):
    """What `stripeline producer poll` reads."""

    stripe_api_key: SecretStr = Field(
        description=(
            "Stripe key, `sk_...` or `rk_...`, that may read events (with `--connected` accounts "
            "as well). Its mode (live or test) is the only one that is stored."
        ),
        examples=["rk_live_..."],
        min_length=1,
    )
    poll_interval_seconds: float = Field(
        default=30.0,
        description=(
            "Pause between two looks at Stripe's list of events. What webhooks bring at once "
            "comes this much later where they fail."
        ),
        examples=[30],
        ge=0.1,
        le=3_600,
    )
    poll_overlap_seconds: int = Field(
        default=600,
        description=(
            "How far each look reaches back behind the last one, for events that Stripe lists "
            "late. Costs a request per 100 events of that time, and no writing. With "
            "`--connected` at least 300."
        ),
        examples=[600],
        ge=0,
        le=86_400,
    )

    def require_overlap(self, *, connected: bool) -> None:
        """Refuse an overlap that is too short for accounts that are connected meanwhile.

        Raises:
            WrongSetting: it is.
        """
        if connected and self.poll_overlap_seconds < LISTED_SECONDS:
            raise WrongSetting(
                f"POLL_OVERLAP_SECONDS: with --connected at least {LISTED_SECONDS:.0f}. Accounts "
                "are listed so often, and the first look at a new one has to reach back to its "
                "connection. Example: POLL_OVERLAP_SECONDS=600"
            )
