"""The webhook's addresses: who may come in at each, and how an event is unwrapped there."""

import hmac
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from producer.errors import Refusal, RequestRefused
from producer.signature import SignatureCheck

PATH = "/webhooks/stripe"
THIN_PATH = f"{PATH}/thin"
EVENTBRIDGE_PATH = f"{PATH}/eventbridge"
EVENT_GRID_PATH = f"{PATH}/event-grid"
JSON = b"application/json"
CLOUD_EVENT_JSON = b"application/cloudevents+json"
EVENT_GRID_ORIGIN = b"eventgrid.azure."


class Head(NamedTuple):
    """What the webhook reads of a request's headers; empty where there was none."""

    signature: str
    authorization: bytes
    content_type: bytes
    origin: bytes
    bytes_announced: int


class Entrance(Protocol):
    """One address of the webhook."""

    content_types: frozenset[bytes]
    may_ask: bool
    """Whether a sender may ask beforehand, with OPTIONS, if it may send."""

    def admit(self, head: Head) -> None:
        """Return when the body is worth reading.

        Raises:
            RequestRefused: it is not.
        """
        ...

    def event(self, body: bytes, head: Head) -> bytes:
        """The event that came in, as Stripe wrote it.

        Raises:
            RequestRefused: it is not Stripe's, or not wrapped as it has to be.
        """
        ...


class SignedEntrance:
    """For what Stripe itself sends, signed."""

    content_types = frozenset({JSON})
    may_ask = False

    def __init__(self, signature: SignatureCheck) -> None:
        self._signature = signature

    def admit(self, head: Head) -> None:
        """Everybody may send a body; its signature is what counts."""

    def event(self, body: bytes, head: Head) -> bytes:
        """The body, once its signature is found good."""
        self._signature.verify(body, head.signature)
        return body


class KeyedEntrance:
    """For what an event bus passes on: Stripe's signature does not come with it, so a key must."""

    def __init__(
        self,
        *,
        key: str,
        unwrap: Callable[[bytes], bytes],
        content_types: frozenset[bytes],
        may_ask: bool,
    ) -> None:
        assert key
        self.content_types = content_types
        self.may_ask = may_ask
        self._expected = b"Bearer " + key.encode()
        self._unwrap = unwrap

    def admit(self, head: Head) -> None:
        """Nobody without the key; their body is not read."""
        if not hmac.compare_digest(head.authorization, self._expected):
            raise RequestRefused(Refusal.KEY_WRONG)

    def event(self, body: bytes, head: Head) -> bytes:  # noqa: ARG002 - the key came with the head
        """The event in the envelope."""
        return self._unwrap(body)


def head_of(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """The headers that matter, of names in small letters."""
    signature, authorization, content_type, origin, bytes_announced = "", b"", b"", b"", 0
    for name, value in headers:
        if name == b"stripe-signature":
            signature = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value.partition(b";")[0].strip().lower()
        elif name == b"content-length":
            bytes_announced = int(value)
        elif name == b"authorization":
            authorization = value
        elif name == b"webhook-request-origin":
            origin = value
    return Head(signature, authorization, content_type, origin, bytes_announced)


def asked_by_event_grid(head: Head) -> bytes:
    """The name under which Event Grid asks whether it may send.

    It proves nothing: whoever sends needs the key. It only says that this address wants events.

    Raises:
        RequestRefused: it is somebody else.
    """
    if not head.origin.startswith(EVENT_GRID_ORIGIN):
        raise RequestRefused(Refusal.ORIGIN)
    return head.origin
