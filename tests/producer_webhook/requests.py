"""Webhook requests as Stripe sends them, and as it does not."""

import hashlib
import hmac
import json
import socket
import time
from typing import Any

import httpx

SECRET = "whsec_current"
PATH = "/webhooks/stripe"
ANSWER_SECONDS_MAX = 60.0


def event(event_id: str = "evt_1", **changes: Any) -> dict[str, Any]:
    """A customer event; `changes` replace fields of the event."""
    return {
        "id": event_id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "data": {"object": {"id": "cus_1", "object": "customer", "name": "Ada"}},
        "livemode": False,
        "type": "customer.updated",
        **changes,
    }


def about(body: dict[str, Any], event_id: str = "evt_1", **changes: Any) -> dict[str, Any]:
    """An event whose object is `body`."""
    return event(event_id, data={"object": body}, **changes)


def thin_event(event_id: str = "evt_thin", **changes: Any) -> dict[str, Any]:
    """The thin event of a customer's change; `changes` replace fields of it."""
    return {
        "id": event_id,
        "object": "v2.core.event",
        "type": "v1.customer.updated",
        "created": "2026-11-22T10:00:00.123Z",
        "livemode": False,
        "related_object": {"id": "cus_1", "type": "customer", "url": "/v1/customers/cus_1"},
        **changes,
    }


def encoded(event: dict[str, Any]) -> bytes:
    """As Stripe writes it: indented by two."""
    return json.dumps(event, indent=2).encode()


def signed(body: bytes, *, secret: str = SECRET, age_seconds: int = 0) -> dict[str, str]:
    """The headers of a body that was signed `age_seconds` ago."""
    second = int(time.time()) - age_seconds
    digest = hmac.new(secret.encode(), b"%d." % second + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={second},v1={digest},v0=0123",
    }


class Sender:
    """Posts to one webhook service; a thread may have its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", timeout=ANSWER_SECONDS_MAX
        )

    def post(
        self, body: bytes, headers: dict[str, str] | None = None, *, path: str = PATH
    ) -> httpx.Response:
        """Post a body, signed unless other headers are given."""
        return self._client.post(
            path, content=body, headers=signed(body) if headers is None else headers
        )

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """Any other request, without a body."""
        return self._client.request(method, path, headers=headers)

    def status_of_bytes(self, sent: bytes) -> int:
        """The status of the answer to bytes that need not be a whole request."""
        with socket.create_connection(
            ("127.0.0.1", self._port), timeout=ANSWER_SECONDS_MAX
        ) as line:
            line.sendall(sent)
            answer = line.recv(65_536)
        return int(answer.split(b" ", 2)[1])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
