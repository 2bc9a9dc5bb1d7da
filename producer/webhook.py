"""The webhook: one HTTP request in, one inbox record out, and the answer when it is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Protocol

from producer.errors import InboxFull, NotAcknowledged, Refusal, RequestRefused
from producer.routing import Router
from producer.signature import SignatureCheck
from producer.webhook_answers import REFUSED, STORED, Answer
from runtime.clock import Clock
from runtime.metrics import (
    WEBHOOK_ACKNOWLEDGED,
    WEBHOOK_RECEIVED,
    WEBHOOK_REFUSED,
    WEBHOOK_SECONDS,
    Meters,
)
from schemas.inbox import Envelope, Kind, Source

PATH = "/webhooks/stripe"
BODY_BYTES_MAX = 2 * 1_048_576
BODY_SECONDS_MAX = 10.0

Scope = MutableMapping[str, Any]
Received = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Received]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class DurableInbox(Protocol):
    """What the webhook needs of the inbox."""

    def put(
        self, *, key: str, value: bytes, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[None]":
        """Hand one record over; the future is done when it is durable."""
        ...


class Webhook:
    """An ASGI application with one address, `POST /webhooks/stripe`.

    A request is answered 200 when the inbox holds its bytes, or when the event is of the mode
    that is not stored; 4xx when it is not Stripe's or not an event; 503 when Kafka did not
    acknowledge it, upon which Stripe sends it again.
    """

    def __init__(
        self,
        *,
        inbox: DurableInbox,
        signature: SignatureCheck,
        router: Router,
        livemode: bool | None,
        clock: Clock,
        meters: Meters,
        body_seconds_max: float = BODY_SECONDS_MAX,
    ) -> None:
        """Closed until `open` is called.

        Args:
            livemode: the mode whose events are stored; none stores both.
            body_seconds_max: how long a sender may take for a body.
        """
        self._inbox = inbox
        self._signature = signature
        self._router = router
        self._livemode = livemode
        self._clock = clock
        self._meters = meters
        self._body_seconds_max = body_seconds_max
        self._opened = False

    def open(self) -> None:
        """The inbox is there: store from now on."""
        self._opened = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        self._meters.add(WEBHOOK_RECEIVED)
        try:
            seconds = await self._store(scope, receive)
        except RequestRefused as refused:
            self._meters.add(WEBHOOK_REFUSED, reason=refused.reason.value)
            await _answer(send, REFUSED[refused.reason])
            return
        self._meters.add(WEBHOOK_ACKNOWLEDGED)
        self._meters.observe(WEBHOOK_SECONDS, seconds)
        await _answer(send, STORED)

    async def _store(self, scope: Scope, receive: Receive) -> float:
        """Seconds from the last byte until the event was durable."""
        signature = _checked_head(scope)
        if not self._opened:
            raise RequestRefused(Refusal.NOT_READY)
        body = await _body(receive, seconds_max=self._body_seconds_max)
        came = self._clock.monotonic_seconds()
        self._signature.verify(body, signature)
        route = self._router.route(body)
        if self._livemode is not None and route.livemode is (not self._livemode):
            raise RequestRefused(Refusal.OTHER_MODE)
        envelope = Envelope(
            kind=Kind.EVENT,
            source=Source.WEBHOOK,
            received_at=self._clock.utc_micros(),
            account_id=route.account_id,
        )
        try:
            await self._inbox.put(key=route.key, value=body, headers=envelope.headers())
        except InboxFull:
            raise RequestRefused(Refusal.QUEUE_FULL) from None
        except NotAcknowledged:
            raise RequestRefused(Refusal.NOT_ACKNOWLEDGED) from None
        return self._clock.monotonic_seconds() - came


def _checked_head(scope: Scope) -> str:
    """The value of `Stripe-Signature`, of a request whose body is worth reading."""
    if scope["path"] != PATH:
        raise RequestRefused(Refusal.NOT_FOUND)
    if scope["method"] != "POST":
        raise RequestRefused(Refusal.METHOD)
    signature, content_type, bytes_announced = _headers(scope["headers"])
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise RequestRefused(Refusal.CONTENT_TYPE)
    if bytes_announced > BODY_BYTES_MAX:
        raise RequestRefused(Refusal.TOO_LARGE)
    return signature


def _headers(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, bytes, int]:
    signature, content_type, bytes_announced = "", b"", 0
    for name, value in headers:
        if name == b"stripe-signature":
            signature = value.decode("latin-1")
        elif name == b"content-type":
            content_type = value
        elif name == b"content-length":
            bytes_announced = int(value)
    return signature, content_type, bytes_announced


async def _answer(send: Send, answer: Answer) -> None:
    await send(answer.start)
    await send(answer.body)


async def _body(receive: Receive, *, seconds_max: float) -> bytes:
    """The whole body; reading ends at the limit, whatever length was announced."""
    parts: list[bytes] = []
    length, more = 0, True
    try:
        async with asyncio.timeout(seconds_max):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise RequestRefused(Refusal.BODY_INCOMPLETE)
                part = message["body"]
                more = message["more_body"]
                length += len(part)
                if length > BODY_BYTES_MAX:
                    raise RequestRefused(Refusal.TOO_LARGE)
                parts.append(part)
    except TimeoutError:
        raise RequestRefused(Refusal.BODY_INCOMPLETE) from None
    return b"".join(parts)
