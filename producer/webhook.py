"""The webhook: one HTTP request in, one inbox record out, and the answer when it is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from producer.entrances import Entrance, Head, asked_by_event_grid, head_of
from producer.errors import InboxFull, NotAcknowledged, Refusal, RequestRefused
from producer.routing import Router
from producer.webhook_answers import REFUSED, STORED, Answer, allowed
from runtime.clock import Clock
from runtime.metrics import (
    WEBHOOK_ACKNOWLEDGED,
    WEBHOOK_RECEIVED,
    WEBHOOK_REFUSED,
    WEBHOOK_SECONDS,
    Meters,
)
from schemas.inbox import Envelope, Source

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
    """An ASGI application with an address for each way in which events are sent.

    A request is answered 200 when the inbox holds its bytes, or when the event is of the mode
    that is not stored; 4xx when it is not Stripe's or not an event; 503 when Kafka did not
    acknowledge it, upon which Stripe sends it again.
    """

    def __init__(
        self,
        *,
        inbox: DurableInbox,
        entrances: Mapping[str, Entrance],
        router: Router,
        livemode: bool | None,
        clock: Clock,
        meters: Meters,
        body_seconds_max: float = BODY_SECONDS_MAX,
    ) -> None:
        """Closed until `open` is called.

        Args:
            entrances: path -> who may come in there, and how.
            livemode: the mode whose events are stored; none stores both.
            body_seconds_max: how long a sender may take for a body.
        """
        self._inbox = inbox
        self._entrances = entrances
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
            entrance, head = self._entered(scope), head_of(scope["headers"])
            if scope["method"] == "OPTIONS" and entrance.may_ask:
                await _answer(send, allowed(asked_by_event_grid(head)))
                return
            seconds = await self._store(scope["method"], entrance, head, receive)
        except RequestRefused as refused:
            self._meters.add(WEBHOOK_REFUSED, reason=refused.reason.value)
            await _answer(send, REFUSED[refused.reason])
            return
        self._meters.add(WEBHOOK_ACKNOWLEDGED)
        self._meters.observe(WEBHOOK_SECONDS, seconds)
        await _answer(send, STORED)

    def _entered(self, scope: Scope) -> Entrance:
        entrance = self._entrances.get(scope["path"])
        if entrance is None:
            raise RequestRefused(Refusal.NOT_FOUND)
        return entrance

    async def _store(self, method: str, entrance: Entrance, head: Head, receive: Receive) -> float:
        """Seconds from the last byte until the event was durable."""
        _check_head(method, entrance, head)
        if not self._opened:
            raise RequestRefused(Refusal.NOT_READY)
        body = await _body(receive, seconds_max=self._body_seconds_max)
        came = self._clock.monotonic_seconds()
        event = entrance.event(body, head)
        route = self._router.route(event)
        if self._livemode is not None and route.livemode is (not self._livemode):
            raise RequestRefused(Refusal.OTHER_MODE)
        envelope = Envelope(
            kind=route.kind,
            source=Source.WEBHOOK,
            received_at=self._clock.utc_micros(),
            account_id=route.account_id,
        )
        try:
            await self._inbox.put(key=route.key, value=event, headers=envelope.headers())
        except InboxFull:
            raise RequestRefused(Refusal.QUEUE_FULL) from None
        except NotAcknowledged:
            raise RequestRefused(Refusal.NOT_ACKNOWLEDGED) from None
        return self._clock.monotonic_seconds() - came


def _check_head(method: str, entrance: Entrance, head: Head) -> None:
    """Return when the request's body is worth reading."""
    if method != "POST":
        raise RequestRefused(Refusal.METHOD)
    if head.content_type not in entrance.content_types:
        raise RequestRefused(Refusal.CONTENT_TYPE)
    entrance.admit(head)
    if head.bytes_announced > BODY_BYTES_MAX:
        raise RequestRefused(Refusal.TOO_LARGE)


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
