"""A Stripe that refuses some addresses: passes everything else on to a simulator."""

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import httpx

PASSED_ON = ("authorization", "stripe-version", "stripe-account")


class RefusingStripe:
    """Answers requests for some paths with an error of Stripe's; a context manager."""

    def __init__(self, behind: str, *, refused: Mapping[str, HTTPStatus]) -> None:
        """Refuse paths.

        Args:
            behind: address of the simulator.
            refused: end of a path -> status.
        """
        self._behind = httpx.Client(base_url=behind, trust_env=False)
        self._refused = refused
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._behind.close()

    def _answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
        address = path.partition("?")[0]
        self.paths.append(address)
        for end, status in self._refused.items():
            if address.endswith(end):
                error = {"type": "invalid_request_error", "message": f"not {address} for this key"}
                return status, json.dumps({"error": error}).encode(), ""
        answer = self._behind.get(path, headers=dict(headers))
        return answer.status_code, answer.content, answer.headers["date"]

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        stripe = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {
                    name: value
                    for name in PASSED_ON
                    if (value := self.headers.get(name)) is not None
                }
                status, body, date = stripe._answer(self.path, headers)
                self.send_response_only(status)
                self.send_header("Date", date)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler
