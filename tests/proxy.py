"""A TCP proxy whose line can be cut, held or slowed: faults as data, outside of the product."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import TracebackType
from typing import Self

from confluent_kafka.admin import AdminClient

READ_BYTES_MAX = 65_536
CONNECT_SECONDS_MAX = 5.0
METADATA_SECONDS_MAX = 30.0


class Line(Enum):
    """What becomes of the bytes."""

    OPEN = "open"
    """They pass."""
    HELD = "held"
    """They are taken and kept, in order, until the line is open again."""
    CUT = "cut"
    """Connections are closed, and new ones too."""


class Proxy:
    """Passes TCP connections on to one address; a context manager.

    Both directions obey `set`. `rewrite` may change what comes back from the target.
    """

    def __init__(
        self, *, host: str, port: int, rewrite: Callable[[socket.socket, int], bytes] | None = None
    ) -> None:
        """Listen on a free port of 127.0.0.1.

        Args:
            rewrite: reads the next piece of the target's answer from the socket given, with the
                proxy's own port as second argument; empty at the end. None passes all as it is.
        """
        self._target = (host, port)
        self._rewrite = rewrite
        self._line = Line.OPEN
        self._delay_seconds = 0.0
        self._changed = threading.Condition()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        # Closing a socket does not wake a thread that waits in `accept`.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._close_connections()
        for thread in self._threads:
            thread.join()

    @property
    def address(self) -> str:
        """`host:port` to connect to."""
        return f"127.0.0.1:{self.port}"

    def set(self, line: Line, *, delay_seconds: float = 0.0) -> None:
        """Change the line for all connections, those that are open and those to come.

        Args:
            delay_seconds: how long each piece waits before it passes.
        """
        with self._changed:
            self._line = line
            self._delay_seconds = delay_seconds
            self._changed.notify_all()
        if line is Line.CUT:
            self._close_connections()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self._line is Line.CUT or self._closed:
                client.close()
                continue
            try:
                server = socket.create_connection(self._target, timeout=CONNECT_SECONDS_MAX)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._changed:
                self._sockets |= {client, server}
            self._start(self._pump, client, server, None)
            self._start(self._pump, server, client, self._rewrite)

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        read: Callable[[socket.socket, int], bytes] | None,
    ) -> None:
        with contextlib.suppress(OSError):
            while piece := read(source, self.port) if read else source.recv(READ_BYTES_MAX):
                if not self._passes():
                    break
                sink.sendall(piece)
        self._close(source, sink)

    def _passes(self) -> bool:
        """Wait while the line is held; whether the connection goes on."""
        with self._changed:
            if self._delay_seconds:
                self._changed.wait_for(lambda: self._closed, timeout=self._delay_seconds)
            self._changed.wait_for(lambda: self._closed or self._line is not Line.HELD)
            return not self._closed and self._line is Line.OPEN

    def _close_connections(self) -> None:
        with self._changed:
            open_now = tuple(self._sockets)
        self._close(*open_now)

    def _close(self, *sockets: socket.socket) -> None:
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        with self._changed:
            self._sockets -= set(sockets)


@contextmanager
def kafka_proxy(bootstrap_servers: str) -> Iterator[Proxy]:
    """A proxy before a cluster of one broker; its address serves as bootstrap server.

    A broker tells its clients where it is to be found, and they would go there past the proxy:
    the proxy puts its own port in the place of the broker's in every answer.
    """
    brokers = AdminClient({"bootstrap.servers": bootstrap_servers}).list_topics(
        timeout=METADATA_SECONDS_MAX
    )
    (broker,) = brokers.brokers.values()
    # The library declares both as None.
    name, port = str(broker.host), int(str(broker.port))
    host = name.encode()
    advertised = host + port.to_bytes(4)

    def rewritten(source: socket.socket, own_port: int) -> bytes:
        head = _exactly(source, 4)
        answer = head + _exactly(source, int.from_bytes(head))
        return answer.replace(advertised, host + own_port.to_bytes(4))

    with Proxy(host=name, port=port, rewrite=rewritten) as proxy:
        yield proxy


def _exactly(source: socket.socket, count: int) -> bytes:
    """That many bytes; fewer only at the end of the connection."""
    parts = bytearray()
    while len(parts) < count:
        part = source.recv(count - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)
