"""One kept connection to a receiver of webhooks, as little HTTP as sending them takes."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

import httptools

ANSWER_SECONDS_MAX = 20.0
URL_PATTERN = r"^(https?://[^/\s]+\S*)?$"


class Line(asyncio.Protocol):
    """A connection that sends one request after the other and hears each one's status."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[int] | None = None

    @property
    def usable(self) -> bool:
        """Whether another request can be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Send a request; the future holds its answer's status.

        The future fails with `ConnectionResetError` when the connection ends first, and with
        httptools' error when the answer is no HTTP.
        """
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        # uvloop's transports are none by inheritance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(error)
            self.close()

    def on_message_complete(self) -> None:
        """The answer is whole; called by the parser."""
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._fail(exc or ConnectionResetError("the receiver closed the connection"))

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Sender:
    """Posts to one address, one request at a time, on a connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host = parts.hostname
        self._secure = parts.scheme == "https"
        self._port = parts.port or (443 if self._secure else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._head = f"POST {path} HTTP/1.1\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n"
        self._line: Line | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Send `body`; the status of the answer.

        Raises:
            OSError: the receiver cannot be reached or ends the connection.
            TimeoutError: no answer within `ANSWER_SECONDS_MAX`.
            httptools.HttpParserError: the answer is no HTTP.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                line = await self._connected()
                return await line.ask(head.encode() + body)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection; the next `post` makes a new one."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def _connected(self) -> Line:
        if self._line is None or not self._line.usable:
            secure = ssl.create_default_context() if self._secure else None
            loop = asyncio.get_running_loop()
            _, self._line = await loop.create_connection(Line, self._host, self._port, ssl=secure)
        return self._line
