"""Events that a cloud's event bus wrapped: the event's own bytes, out of the envelope."""

import msgspec

from producer.errors import Refusal, RequestRefused

EVENTBRIDGE_SOURCE = "aws.partner/stripe.com"
CLOUD_EVENTS_VERSION = "1.0"


def from_eventbridge(body: bytes) -> bytes:
    """The Stripe event in an Amazon EventBridge event, as its bytes stand there.

    Raises:
        RequestRefused: it is not JSON, or no EventBridge event of Stripe's.
    """
    try:
        envelope = _EVENTBRIDGE.decode(body)
    except _UNREADABLE as error:
        raise _refused(error) from None
    if not envelope.source.startswith(EVENTBRIDGE_SOURCE):
        raise RequestRefused(Refusal.NOT_AN_ENVELOPE)
    return bytes(envelope.detail)


def from_event_grid(body: bytes) -> bytes:
    """The Stripe event in an Azure Event Grid event (a CloudEvent), as its bytes stand there.

    Raises:
        RequestRefused: it is not JSON, or no CloudEvent with data.
    """
    try:
        envelope = _CLOUD_EVENT.decode(body)
    except _UNREADABLE as error:
        raise _refused(error) from None
    if envelope.specversion != CLOUD_EVENTS_VERSION:
        raise RequestRefused(Refusal.NOT_AN_ENVELOPE)
    return bytes(envelope.data)


def _refused(error: Exception) -> RequestRefused:
    # The error itself may quote the body: it ends here.
    json = isinstance(error, msgspec.ValidationError)
    return RequestRefused(Refusal.NOT_AN_ENVELOPE if json else Refusal.NOT_JSON)


class _EventBridge(msgspec.Struct, gc=False):
    source: str
    detail: msgspec.Raw


class _CloudEvent(msgspec.Struct, gc=False):
    specversion: str
    data: msgspec.Raw


_EVENTBRIDGE = msgspec.json.Decoder(_EventBridge)
_CLOUD_EVENT = msgspec.json.Decoder(_CloudEvent)
# What msgspec raises for text that is not UTF-8, and for nesting beyond all bounds.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
