"""A Stripe that shows objects and lists over HTTP: what it says and when is the test's choice."""

import json
import threading
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.relay.inbox_writer import FIRST_SECOND

NOT_FOUND = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}


def listed(
    elements: list[dict[str, Any]], *, url: str = "/v1/list", has_more: bool = False
) -> dict[str, Any]:
    """Stripe's envelope around a list."""
    return {"object": "list", "data": elements, "has_more": has_more, "url": url}


class StripeServer:
    """Answers every GET with one status and one date; a context manager.

    The body is that of the path, else one for all.
    """

    def __init__(self) -> None:
        self.status = HTTPStatus.OK
        self.body: dict[str, Any] = {}
        self.bodies: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.missing: set[str] = set()
        self.second = 0
        self.paths: list[str] = []
        self.accounts: list[tuple[str | None, str | None]] = []
        """Of each request, what it has as `Stripe-Account` and as `Stripe-Context`."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def settings(self) -> dict[str, str]:
        """What a relay needs to ask here."""
        return {
            "STRIPE_API_KEY": "sk_test_1",
            "STRIPE_API_BASE": self.url,
            "RELAY_REFETCHES_PER_SECOND_MAX": "50",
        }

    def shows(self, second: int, **body: Any) -> None:
        """Show this object from now on; it is second `FIRST_SECOND + second` there."""
        self.status, self.second, self.body = HTTPStatus.OK, second, body

    def fails(self, status: HTTPStatus, *, second: int = 0, code: str = "") -> None:
        """Answer with an error from now on."""
        self.status, self.second = status, second
        self.body = {"error": {"type": "invalid_request_error", "code": code, "message": "no"}}

    def answer(self, address: str) -> dict[str, Any]:
        """The body for an address."""
        parts = urlsplit(address)
        if self.status is HTTPStatus.OK and parts.path in self.lists:
            return self._page(parts.path, dict(parse_qsl(parts.query)))
        if self.status is HTTPStatus.OK:
            return self.bodies.get(parts.path, self.body)
        return self.body

    def _page(self, path: str, parameters: dict[str, str]) -> dict[str, Any]:
        elements = self.lists[path]
        ids = [element["id"] for element in elements]
        start = ids.index(parameters["starting_after"]) + 1 if len(parameters) > 1 else 0
        end = start + int(parameters["limit"])
        return listed(elements[start:end], url=path, has_more=end < len(elements))

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

    def _handler_class(self) -> type[BaseHTTPRequestHandler]:
        stripe = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stripe.paths.append(self.path)
                named = self.headers["Stripe-Account"], self.headers["Stripe-Context"]
                stripe.accounts.append(named)
                missing = self.path in stripe.missing
                answer = NOT_FOUND if missing else stripe.answer(self.path)
                body = json.dumps(answer).encode()
                self.send_response_only(HTTPStatus.NOT_FOUND if missing else stripe.status)
                self.send_header("Date", formatdate(FIRST_SECOND + stripe.second, usegmt=True))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        return Handler
