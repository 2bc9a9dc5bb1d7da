"""Subscription events as Stripe sends them, small enough to read in a test."""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx

from simulator.signature import signature_header

WEBHOOK_SECRET = "whsec_end_to_end"
# Compaction counts from a record's own time, so a change of long ago may go at once: records can
# be counted only when they are young.
FIRST_SECOND = int(time.time()) - 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event: its body, and what the row must say when it is the newest."""

    event_id: str
    object_id: str
    second: int
    version: int
    body: bytes


def subscription_event(
    object_id: str, *, version: int, second: int, kind: str = "updated", **fields: Any
) -> Told:
    """The event after which the subscription's `metadata.version` is `version`.

    `previous_attributes` names the version before, as Stripe does.
    """
    event_id = f"evt_{hashlib.sha256(f'{object_id}:{version}'.encode()).hexdigest()[:24]}"
    subscription = {
        "id": object_id,
        "object": "subscription",
        "created": FIRST_SECOND,
        "customer": f"cus_{object_id.removeprefix('sub_')}",
        "livemode": False,
        "status": "trialing",
        "trial_end": FIRST_SECOND + 14 * 86_400,
        "metadata": {"version": str(version)},
        **fields,
    }
    data: dict[str, Any] = {"object": subscription}
    if kind == "updated":
        data["previous_attributes"] = {"metadata": {"version": str(version - 1)}}
    event = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": second,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": f"customer.subscription.{kind}",
    }
    return Told(
        event_id=event_id,
        object_id=object_id,
        second=second,
        version=version,
        body=json.dumps(event, indent=2).encode(),
    )


def history(object_id: str, *, versions: int, per_second: int = 1) -> list[Told]:
    """A subscription's life: created as version 0, then updated; `per_second` events a second."""
    return [
        subscription_event(
            object_id,
            version=version,
            second=FIRST_SECOND + version // per_second,
            kind="updated" if version else "created",
        )
        for version in range(versions)
    ]


def signature(body: bytes) -> str:
    """The `Stripe-Signature` header of a body, made now."""
    return signature_header(body, secrets=[WEBHOOK_SECRET], at=int(time.time()))


class Sender:
    """Posts events to a webhook service over one connection."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self.acknowledged = 0

    def send(self, told: Told) -> int:
        """Post one event; the status of the answer."""
        answer = self._client.post(
            "/webhooks/stripe",
            content=told.body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": signature(told.body),
            },
        )
        self.acknowledged += answer.status_code == httpx.codes.OK
        return answer.status_code

    def deliver(self, told: Told) -> None:
        """Post one event until it is acknowledged, as Stripe retries."""
        for _attempt in range(600):
            try:
                if self.send(told) == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError("the webhook never acknowledged the event")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
