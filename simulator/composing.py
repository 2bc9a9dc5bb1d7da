"""The bytes and the headers of one event for one endpoint."""

from typing import assert_never

from simulator.endpoints import Endpoint, Envelope, Payload
from simulator.envelopes import event_bridge, event_grid
from simulator.exchange import pretty
from simulator.rendering import event_in
from simulator.said import Said
from simulator.signature import signature_header
from simulator.state import Body
from simulator.thin import notification

JSON = "application/json; charset=utf-8"
CLOUD_EVENT_JSON = "application/cloudevents+json; charset=utf-8"


def compose(said: Said, endpoint: Endpoint, *, pending: int) -> bytes:
    """What is posted to `endpoint`.

    Args:
        said: what happened.
        endpoint: who is told.
        pending: how many endpoints have not accepted the event yet.
    """
    event = _event(said, endpoint, pending=pending)
    match endpoint.envelope:
        case Envelope.NONE:
            return pretty(event)
        case Envelope.AMAZON_EVENTBRIDGE:
            return pretty(event_bridge(event))
        case Envelope.AZURE_EVENT_GRID:
            return pretty(event_grid(event))
        case _:
            assert_never(endpoint.envelope)


def headers(body: bytes, endpoint: Endpoint, *, at: int) -> dict[str, str]:
    """What is posted beside `body` at the unix time `at`.

    A cloud passes no signature of Stripe's on: the receiver's own key stands in for it.
    """
    enveloped = endpoint.envelope is Envelope.AZURE_EVENT_GRID
    head = {"Accept": "*/*", "Content-Type": CLOUD_EVENT_JSON if enveloped else JSON}
    if endpoint.envelope is not Envelope.NONE:
        return head | {"Authorization": f"Bearer {endpoint.secrets[0]}"}
    return head | {
        "Stripe-Signature": signature_header(body, secrets=endpoint.secrets, at=at),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }


def _event(said: Said, endpoint: Endpoint, *, pending: int) -> Body:
    if endpoint.payload is Payload.THIN:
        assert said.thin is not None
        return notification(said.thin, details=endpoint.thin_details)
    return {**event_in(said, endpoint.api_version), "pending_webhooks": pending}
