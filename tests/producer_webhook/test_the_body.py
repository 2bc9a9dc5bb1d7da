"""A body that comes in pieces, too slowly or not to its end; spoken to without a network."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from producer.entrances import SignedEntrance
from producer.routing import Router
from producer.signature import SignatureCheck
from producer.webhook import BODY_BYTES_MAX, Webhook
from runtime.clock import SystemClock
from runtime.metrics import WEBHOOK_REFUSED, Meters
from schemas.objects import load_catalogue
from tests.producer_webhook.requests import PATH, SECRET, encoded, event, signed


class KeptInbox:
    """Acknowledges at once and keeps what it was given."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.values: list[bytes] = []
        self.headers: list[list[tuple[str, bytes]]] = []

    def put(
        self, *, key: str, value: bytes, headers: list[tuple[str, bytes]]
    ) -> "asyncio.Future[None]":
        self.keys.append(key)
        self.values.append(value)
        self.headers.append(headers)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Conversation:
    """One request to a webhook of its own, its body in pieces; then silence, or a hang-up."""

    def __init__(self, *pieces: bytes, signed_body: bytes, hang_up: bool = False) -> None:
        self.inbox = KeptInbox()
        self.meters = Meters()
        self.taken = 0
        self._pieces = pieces
        self._signed_body = signed_body
        self._hang_up = hang_up
        self._sent: list[MutableMapping[str, Any]] = []

    def status(self) -> int:
        """The status of the answer."""
        asyncio.run(self._ask())
        return int(self._sent[0]["status"])

    async def _ask(self) -> None:
        webhook = Webhook(
            inbox=self.inbox,
            entrances={
                PATH: SignedEntrance(SignatureCheck(secrets=[SECRET], clock=SystemClock()))
            },
            router=Router(catalogue=load_catalogue()),
            livemode=None,
            clock=SystemClock(),
            meters=self.meters,
            body_seconds_max=0.2,
        )
        webhook.open()
        headers = [
            (name.lower().encode(), value.encode())
            for name, value in signed(self._signed_body).items()
        ]
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers}
        await webhook(scope, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        if self.taken == len(self._pieces):
            if self._hang_up:
                return {"type": "http.disconnect"}
            await asyncio.Event().wait()
        piece = self._pieces[self.taken]
        self.taken += 1
        whole = sum(map(len, self._pieces[: self.taken])) == len(self._signed_body)
        return {"type": "http.request", "body": piece, "more_body": not whole}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self._sent.append(message)


BODY = encoded(event())


@pytest.mark.parametrize("size", [1, 7, len(BODY)])
def test_pieces_of_any_size_make_the_same_bytes(size: int) -> None:
    pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]
    talk = Conversation(*pieces, signed_body=BODY)

    assert talk.status() == 200
    assert talk.inbox.values == [BODY]


@pytest.mark.parametrize("hang_up", [True, False])
def test_a_body_without_its_end_is_given_up_and_counted(hang_up: bool) -> None:
    talk = Conversation(BODY[:20], signed_body=BODY, hang_up=hang_up)

    assert talk.status() == 408
    assert talk.inbox.values == []
    assert talk.meters.value(WEBHOOK_REFUSED, reason="body_incomplete") == 1


def test_reading_stops_at_the_limit() -> None:
    piece = bytes(BODY_BYTES_MAX // 4)
    talk = Conversation(*[piece] * 8, signed_body=piece * 8)

    assert talk.status() == 413
    assert talk.taken == 5
    assert talk.inbox.values == []
