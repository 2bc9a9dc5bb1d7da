"""Faults by a seeded plan: what goes wrong, how often, and for which requests and webhooks."""

import random
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from simulator.exchange import Call


class ResponseFaultKind(StrEnum):
    """What happens instead of an answer."""

    RATE_LIMITED = "rate_limited"
    """429 with `Stripe-Rate-Limited-Reason` and without `Retry-After`."""
    SERVER_ERROR = "server_error"
    """500 with Stripe's error body."""
    FORBIDDEN = "forbidden"
    """403: the key may not see this, or this account does not show it to its platform."""
    HANG = "hang"
    """No answer for `seconds`, then the connection is cut."""
    CUT = "cut"
    """The connection is cut in the middle of the answer."""


class ResponseFault(BaseModel):
    """A fault of the API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ResponseFaultKind
    rate: float = Field(default=1.0, ge=0, le=1, description="Share of the matching requests.")
    method: str = Field(default="*", description="HTTP method, or `*`.")
    path: str = Field(default="*", description="Shell pattern of the path.")
    times: int | None = Field(
        default=None, ge=1, description="At most so often; no limit if null."
    )
    seconds: float = Field(default=60.0, ge=0, description="How long a hang lasts.")
    after_work: bool = Field(
        default=False, description="The request takes effect, only its answer is lost."
    )


class WebhookFaults(BaseModel):
    """Faults of the deliveries; each share is drawn for each event by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    late: float = Field(default=0.0, ge=0, le=1, description="Share sent `late_seconds` later.")
    late_seconds: float = Field(default=5.0, ge=0)
    reordered: float = Field(
        default=0.0, ge=0, le=1, description="Share held up to `reordered_seconds`, at random."
    )
    reordered_seconds: float = Field(default=0.5, ge=0)
    duplicated: float = Field(default=0.0, ge=0, le=1, description="Share sent twice.")
    dropped: float = Field(default=0.0, ge=0, le=1, description="Share never sent.")


class FaultPlan(BaseModel):
    """All that goes wrong; the same plan and requests give the same faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    webhooks: WebhookFaults = WebhookFaults()
    responses: tuple[ResponseFault, ...] = ()
    events_lag_seconds: int = Field(
        default=0, ge=0, description="Events younger than this are not in `/v1/events` yet."
    )


class Faults:
    """The plan in force, and how often each of its faults has struck."""

    def __init__(self, plan: FaultPlan) -> None:
        self.put(plan)

    def put(self, plan: FaultPlan) -> None:
        """A new plan, with its counts at zero."""
        self.plan = plan
        self.struck = [0] * len(plan.responses)
        self._random = random.Random(plan.seed)  # noqa: S311 - chance, not secrets

    def draw(self, call: Call) -> ResponseFault | None:
        """The fault that strikes this request."""
        for place, fault in enumerate(self.plan.responses):
            if fault.method not in ("*", call.method) or not fnmatchcase(call.path, fault.path):
                continue
            if fault.times is not None and self.struck[place] >= fault.times:
                continue
            if self._random.random() < fault.rate:
                self.struck[place] += 1
                return fault
        return None

    def delays(self, event_id: str, endpoint: str = "") -> list[float]:
        """When an event is sent, in seconds from now, once for each time that it is sent.

        Drawn from the plan's seed, the event's id and the endpoint's name: the order of requests
        changes nothing.
        """
        faults = self.plan.webhooks
        names = [str(self.plan.seed), event_id, *([endpoint] if endpoint else [])]
        draw = random.Random(":".join(names))  # noqa: S311
        if draw.random() < faults.dropped:
            return []
        copies = 2 if draw.random() < faults.duplicated else 1
        return [self._delay(draw, faults) for _ in range(copies)]

    def _delay(self, draw: random.Random, faults: WebhookFaults) -> float:
        seconds = 0.0
        if draw.random() < faults.reordered:
            seconds += draw.random() * faults.reordered_seconds
        if draw.random() < faults.late:
            seconds += faults.late_seconds
        return seconds
