"""What the webhook answers: a status and one line that Stripe shows in its dashboard."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from producer.errors import Refusal


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as ASGI messages, made once and sent many times."""

    start: dict[str, Any]
    body: dict[str, Any]


def _answer(
    status: HTTPStatus, line: str, *, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Answer:
    body = line.encode() + b"\n"
    return Answer(
        start={
            "type": "http.response.start",
            "status": int(status),
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"%d" % len(body)),
                *headers,
            ],
        },
        body={"type": "http.response.body", "body": body},
    )


# The rest of the body is not read: the connection is of no use afterwards.
_CLOSE = ((b"connection", b"close"),)
# Stripe chooses its own pauses; other senders may listen.
_LATER = ((b"retry-after", b"5"),)

# Without a body the server sends the whole answer in one packet instead of two.
STORED = Answer(
    start={
        "type": "http.response.start",
        "status": int(HTTPStatus.OK),
        "headers": [(b"content-length", b"0")],
    },
    body={"type": "http.response.body", "body": b""},
)


def allowed(origin: bytes) -> Answer:
    """The answer to the handshake of CloudEvents: this sender may send here."""
    return Answer(
        start={
            "type": "http.response.start",
            "status": int(HTTPStatus.OK),
            "headers": [
                (b"content-length", b"0"),
                (b"allow", b"POST, OPTIONS"),
                (b"webhook-allowed-origin", origin),
                (b"webhook-allowed-rate", b"*"),
            ],
        },
        body={"type": "http.response.body", "body": b""},
    )


REFUSED: Mapping[Refusal, Answer] = MappingProxyType(
    {
        Refusal.NOT_FOUND: _answer(
            HTTPStatus.NOT_FOUND,
            "the webhook is at /webhooks/stripe; an event bus's address needs its key to be set",
            headers=_CLOSE,
        ),
        Refusal.METHOD: _answer(
            HTTPStatus.METHOD_NOT_ALLOWED,
            "the webhook takes POST only",
            headers=((b"allow", b"POST"), *_CLOSE),
        ),
        Refusal.CONTENT_TYPE: _answer(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/json",
            headers=_CLOSE,
        ),
        Refusal.TOO_LARGE: _answer(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "the body is larger than 2 MiB",
            headers=_CLOSE,
        ),
        Refusal.BODY_INCOMPLETE: _answer(
            HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time", headers=_CLOSE
        ),
        Refusal.NOT_UTF8: _answer(HTTPStatus.BAD_REQUEST, "the body is not UTF-8"),
        Refusal.SIGNATURE_MISSING: _answer(
            HTTPStatus.BAD_REQUEST, "the Stripe-Signature header is missing"
        ),
        Refusal.SIGNATURE_WRONG: _answer(
            HTTPStatus.BAD_REQUEST,
            "the signature fits none of the endpoint's secrets: "
            "compare STRIPE_WEBHOOK_SECRET with the dashboard",
        ),
        Refusal.SIGNATURE_OLD: _answer(
            HTTPStatus.BAD_REQUEST, "the signature is older than 300 seconds"
        ),
        Refusal.SIGNATURE_FUTURE: _answer(
            HTTPStatus.BAD_REQUEST,
            "the signature is more than 300 seconds in the future: check this server's clock",
        ),
        Refusal.NOT_JSON: _answer(HTTPStatus.BAD_REQUEST, "the body is not JSON"),
        Refusal.NOT_AN_EVENT: _answer(HTTPStatus.BAD_REQUEST, "the body is not a Stripe event"),
        Refusal.NOT_AN_ENVELOPE: _answer(
            HTTPStatus.BAD_REQUEST, "the body is not an event bus's envelope of a Stripe event"
        ),
        # Event buses try again after a 401, so that nothing is lost while the key is corrected.
        Refusal.KEY_WRONG: _answer(
            HTTPStatus.UNAUTHORIZED,
            "the Authorization header is not `Bearer` and the key of this address",
            headers=((b"www-authenticate", b"Bearer"), *_CLOSE),
        ),
        Refusal.ORIGIN: _answer(
            HTTPStatus.FORBIDDEN, "only Azure Event Grid may ask for this", headers=_CLOSE
        ),
        Refusal.OTHER_MODE: _answer(
            HTTPStatus.OK, "not stored: the event is not of STRIPE_API_KEY's mode"
        ),
        Refusal.NOT_READY: _answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not stored: Kafka does not answer yet",
            headers=(*_LATER, *_CLOSE),
        ),
        Refusal.QUEUE_FULL: _answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not stored: too many events wait for Kafka",
            headers=_LATER,
        ),
        Refusal.NOT_ACKNOWLEDGED: _answer(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "not stored: Kafka did not acknowledge in time",
            headers=_LATER,
        ),
    }
)
