"""The kept connection on which webhooks are sent, against receivers that do not behave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httptools
import pytest

from simulator.sending import Sender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n\r\n"


class Server:
    """Answers each request with the next of `answers`; an empty one ends the connection."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            answer = self.answers.pop(0)
            if not answer:
                break
            writer.write(answer)
            await writer.drain()
        writer.close()


def with_server(
    answers: list[bytes], work: Callable[[Sender], Coroutine[Any, Any, Any]]
) -> tuple[Server, Any]:
    """The server after `work` was done with a sender to it, and what `work` gave."""

    async def run() -> tuple[Server, Any]:
        server = Server(list(answers))
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        sender = Sender(f"http://127.0.0.1:{port}/hooks?from=stripe")
        try:
            return server, await work(sender)
        finally:
            sender.close()
            listening.close()
            await listening.wait_closed()

    return asyncio.run(run())


async def twice(sender: Sender) -> list[int]:
    return [await sender.post(body, {"X-Number": "1"}) for body in (b"one", b"two")]


def test_requests_share_a_connection() -> None:
    server, statuses = with_server([OK, CHUNKED], twice)

    assert statuses == [200, 503]
    assert server.connections == 1
    assert server.requests[0].startswith(b"POST /hooks?from=stripe HTTP/1.1\r\nHost: 127.0.0.1:")
    assert server.requests[0].endswith(b"X-Number: 1\r\nContent-Length: 3\r\n\r\none")


def test_a_connection_that_the_receiver_closes_is_made_anew() -> None:
    server, statuses = with_server([CLOSING, OK], twice)

    assert statuses == [202, 200]
    assert server.connections == 2


def test_a_receiver_that_hangs_up_is_an_error_and_can_be_asked_again() -> None:
    async def work(sender: Sender) -> int:
        with pytest.raises(ConnectionResetError):
            await sender.post(b"one", {})
        return await sender.post(b"two", {})

    server, status = with_server([b"", OK], work)

    assert status == 200
    assert server.connections == 2


def test_an_answer_that_is_no_http_is_an_error() -> None:
    async def work(sender: Sender) -> None:
        with pytest.raises(httptools.HttpParserError):
            await sender.post(b"one", {})

    server, _ = with_server([b"SSH-2.0-hello\r\n"], work)

    assert server.requests != []


def test_an_address_that_nobody_listens_on_is_an_error() -> None:
    async def work(_sender: Sender) -> None:
        with pytest.raises(ConnectionRefusedError):
            await Sender("http://127.0.0.1:9/").post(b"one", {})

    with_server([OK], work)
