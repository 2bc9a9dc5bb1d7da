"""An endpoint for webhooks that checks each one's signature with Stripe's own library."""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe

SECRET = "whsec_of_the_tests"
OLD_SECRET = "whsec_being_replaced"
TOLERANCE_SECONDS = 300
ACCEPTED = 200
WAIT_SECONDS_MAX = 60


class Receiver:
    """Keeps what it received; `answers` are the next statuses, 200 when there are none left."""

    def __init__(self, *, secret: str = SECRET) -> None:
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.refused: list[str] = []
        self.answers: deque[int] = deque()
        self.secret = secret
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/stripe"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def wait_for(self, kind: str) -> dict[str, Any]:
        """The first event of a type, awaited."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: kind in self.types, WAIT_SECONDS_MAX)
        assert arrived, f"no {kind} within {WAIT_SECONDS_MAX} s; there were {self.types}"
        return next(event for event in self.events if event["type"] == kind)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was accepted, in the order of arrival."""
        return [json.loads(body) for body in self.bodies]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    def receive(self, body: bytes, signature: str) -> int:
        try:
            stripe.WebhookSignature.verify_header(
                body.decode(), signature, self.secret, TOLERANCE_SECONDS
            )
        except stripe.SignatureVerificationError as error:
            self.refused.append(str(error))
            return 400
        status = self.answers.popleft() if self.answers else ACCEPTED
        if status == ACCEPTED:
            with self._changed:
                self.bodies.append(body)
                self.signatures.append(signature)
                self._changed.notify_all()
        return status

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.receive(body, self.headers["Stripe-Signature"])
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing."""

        return Handler


@contextmanager
def answering() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An address that accepts everything, and the headers and bodies that it was sent."""
    requests: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(ACCEPTED)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bus", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
