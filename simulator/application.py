"""The ASGI application: bytes in, bytes out, and a tick that lets time pass."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from simulator.control import PREFIX, Control
from simulator.errors import ConnectionCut, Refused
from simulator.exchange import Answer, Call, json_answer
from simulator.simulation import Simulation

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

BODY_BYTES_MAX = 1_048_576
TICK_SECONDS = 0.25


class Application:
    """One simulation behind HTTP."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._control = Control(simulation)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._simulation.start()
        ticking = asyncio.get_running_loop().create_task(self._tick())
        ticking.add_done_callback(_raise_what_failed)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await self._simulation.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._simulation.tick()

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        call = Call(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode(),
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
            body=await _body(receive),
        )
        try:
            answer = await self._answer(call)
        except Refused as refusal:
            answer = json_answer(refusal.body(), status=refusal.status)
        except ConnectionCut as cut:
            await _wait_for_disconnect(receive, seconds=cut.seconds)
            await _begin(send, status=200, headers=[(b"content-length", b"1048576")])
            # Returning before the promised bytes are sent makes the server close the connection.
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            return
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        headers.append((b"content-length", str(len(answer.body)).encode()))
        await _begin(send, status=answer.status, headers=headers)
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, call: Call) -> Answer:
        if len(call.body) > BODY_BYTES_MAX:
            raise Refused("The request is too large.", status=413)
        if call.path.startswith(PREFIX):
            return await self._control.answer(call)
        return self._simulation.api.answer(call)


def _raise_what_failed(task: asyncio.Task[None]) -> None:
    """Let the event loop report why time stands still."""
    if not task.cancelled():
        task.result()


async def _begin(send: Send, *, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _wait_for_disconnect(receive: Receive, *, seconds: float) -> None:
    """Say nothing until the client has gone, at most `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _body(receive: Receive) -> bytes:
    """The body; of one that is too large, enough to see that."""
    parts = bytearray()
    while True:
        message = await receive()
        if len(parts) <= BODY_BYTES_MAX:
            parts += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(parts)
