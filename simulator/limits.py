"""Rate limits as Stripe has them, off at first: per account, and per account and endpoint."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from runtime.clock import MICROS_PER_SECOND, Clock
from simulator.faulty import GLOBAL_RATE

SECONDS_KEPT_MAX = 3_600


class Limits(BaseModel):
    """How many requests a second are answered; a limit that is null is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_second: float | None = Field(
        default=None, gt=0, description="Of one account, to all endpoints together."
    )
    requests_per_second_per_endpoint: float | None = Field(
        default=None, gt=0, description="Of one account, to one method and path."
    )


@dataclass(slots=True, kw_only=True)
class _Bucket:
    """Requests that may come at once: filled steadily, up to one second's."""

    filled: float
    at: float

    def has_one(self, *, rate: float, now: float) -> bool:
        full = max(rate, 1.0)
        self.filled = min(full, self.filled + (now - self.at) * rate)
        self.at = now
        return self.filled >= 1.0


class Pace:
    """Counts the requests by second, and says which are too many.

    Counts and limits go by the real clock: a client's pace is real however time is moved.
    """

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self._clock = clock
        self.put(limits)

    def put(self, limits: Limits) -> None:
        """New limits; what was counted is forgotten."""
        self.limits = limits
        self.refused = 0
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._answered: OrderedDict[int, dict[tuple[str, str], int]] = OrderedDict()

    def refuses(self, *, account: str, endpoint: str) -> str:
        """Why a request that came now is one too many; empty if it is not.

        Args:
            account: whose limits count.
            endpoint: method and path, with placeholders for ids.
        """
        now = self._clock.monotonic_seconds()
        limited = (
            (GLOBAL_RATE, "", self.limits.requests_per_second),
            ("endpoint-rate", endpoint, self.limits.requests_per_second_per_endpoint),
        )
        buckets = []
        for reason, name, rate in limited:
            if rate is None:
                continue
            bucket = self._buckets.setdefault(
                (account, name), _Bucket(filled=max(rate, 1.0), at=now)
            )
            if not bucket.has_one(rate=rate, now=now):
                self.refused += 1
                return reason
            buckets.append(bucket)
        for bucket in buckets:
            bucket.filled -= 1.0
        self._count(account, endpoint)
        return ""

    def shown(self) -> dict[str, Any]:
        """The limits, and how many requests were answered in which second, by whom and where."""
        return {
            "limits": self.limits.model_dump(),
            "refused": self.refused,
            "answered": [
                {"second": second, "account": account, "endpoint": endpoint, "count": count}
                for second, counts in self._answered.items()
                for (account, endpoint), count in counts.items()
            ],
        }

    def _count(self, account: str, endpoint: str) -> None:
        second = self._clock.utc_micros() // MICROS_PER_SECOND
        counts = self._answered.setdefault(second, {})
        counts[account, endpoint] = counts.get((account, endpoint), 0) + 1
        if len(self._answered) > SECONDS_KEPT_MAX:
            self._answered.popitem(last=False)
