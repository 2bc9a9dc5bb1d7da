"""`/healthz`, `/readyz` and `/metrics` of a service, served by a thread of its own."""

import json
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from runtime.clock import Clock
from runtime.errors import WrongSetting

STALL_SECONDS_MAX = 60.0
REQUEST_SECONDS_MAX = 5.0


class Health:
    """What a service says of itself: whether its loop moves, and whether it can do its work."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._beat = clock.monotonic_seconds()
        self._reason = "starting"

    def beat(self) -> None:
        """The service's loop went round once more."""
        self._beat = self._clock.monotonic_seconds()

    def mark_ready(self) -> None:
        """The service can do its work now."""
        self._reason = ""

    def mark_unready(self, reason: str) -> None:
        """The service lives but cannot do its work; `reason` is shown to the operator."""
        assert reason
        self._reason = reason

    @property
    def live(self) -> bool:
        """Whether the loop went round within `STALL_SECONDS_MAX`."""
        return self._clock.monotonic_seconds() - self._beat <= STALL_SECONDS_MAX

    @property
    def unready_reason(self) -> str:
        """Empty when ready."""
        return self._reason if self.live else "the service's loop stands still"


class HealthServer:
    """An HTTP server for probes and Prometheus; port 0 takes a free port."""

    def __init__(
        self, *, health: Health, registry: CollectorRegistry, host: str, port: int
    ) -> None:
        self._health = health
        self._registry = registry
        try:
            self._server = _Server((host, port), self._handler_class())
        except OSError as error:
            raise WrongSetting(
                f"HEALTH_PORT {port} on {host} cannot be used ({error.strerror}). "
                "Choose a free one, for example HEALTH_PORT=9109, or 0 for any."
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="health", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer probes from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Close the port and wait for the thread."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        health, registry = self._health, self._registry

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS_MAX

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if path == "/healthz":
                    self._say(live=health.live, reason="the service's loop stands still")
                elif path == "/readyz":
                    reason = health.unready_reason
                    self._say(live=not reason, reason=reason)
                elif path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(HTTPStatus.OK, content_type, encode(registry))
                else:
                    self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not found\n")

            def _say(self, *, live: bool, reason: str) -> None:
                status = HTTPStatus.OK if live else HTTPStatus.SERVICE_UNAVAILABLE
                said = {"status": "ok"} if live else {"status": "unavailable", "reason": reason}
                self._answer(status, "application/json", json.dumps(said).encode() + b"\n")

            def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Probes come every few seconds and are not worth a line."""

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A prober that hangs up before its answer is no fault, and not worth lines of text."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
