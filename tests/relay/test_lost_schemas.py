"""A registry that lost its schemas, or does not show them: bodies of before are had elsewhere."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from runtime.errors import ExitCode
from schemas.inbox import Kind
from tests.end_to_end.services import running
from tests.relay.inbox_writer import event, snapshot
from tests.relay.installation import Installation

pytestmark = pytest.mark.stack

ANSWER_SECONDS_MAX = 30.0
UNKNOWN = {"error_code": 40403, "message": "Schema not found"}


@contextmanager
def hiding(registry: str, status: HTTPStatus) -> Iterator[str]:
    """The address of the registry, which answers every question for a schema by its id so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "/schemas/ids/" in self.path:
                self._answer(status, json.dumps(UNKNOWN).encode())
            else:
                self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def do_PUT(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            answer = httpx.request(
                self.command,
                f"{registry}{self.path}",
                content=self.rfile.read(length),
                headers={"Content-Type": self.headers.get("Content-Type", "")},
                timeout=ANSWER_SECONDS_MAX,
            )
            self._answer(HTTPStatus(answer.status_code), answer.content)

        def _answer(self, status: HTTPStatus, body: bytes) -> None:
            self.send_response_only(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_delete_has_its_body_from_the_inbox_where_the_registry_lost_the_schema(
    installation: Installation,
) -> None:
    with installation.relaying():
        installation.inbox.send(event("evt_1", "sub_1", second=1, status="a"))
        installation.await_relayed()
    with (
        hiding(installation.infrastructure.registry, HTTPStatus.NOT_FOUND) as registry,
        running(installation.relay(SCHEMA_REGISTRY_URL=registry)),
    ):
        installation.inbox.send(snapshot("sub_1", second=9, kind=Kind.GONE))
        installation.await_relayed()
    last = installation.last()["sub_1"]
    assert (last["_operation"], last["status"]) == ("deleted", "a")


def test_a_registry_that_refuses_to_show_a_schema_ends_the_relay_with_a_word_why(
    installation: Installation,
) -> None:
    with installation.relaying():
        installation.inbox.send(event("evt_1", "sub_1", second=1, status="a"))
        installation.await_relayed()
    with hiding(installation.infrastructure.registry, HTTPStatus.FORBIDDEN) as registry:
        relay = installation.relay("b", SCHEMA_REGISTRY_URL=registry)
        installation.inbox.send(snapshot("sub_1", second=9, kind=Kind.GONE))
        relay.launch()
        assert relay.wait() == ExitCode.FAILED
    assert "answered 403" in relay.log()
    assert "Traceback" not in relay.log()
