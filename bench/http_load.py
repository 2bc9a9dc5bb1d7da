"""Sends signed webhook events as fast as the answers come, or at a fixed rate; prints JSON.

A program of its own, so that it does not share the interpreter with what it measures. It speaks
just enough HTTP for that: an answer is one packet that ends with its head or its one-line body.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import time
from collections import deque
from typing import cast

import uvloop

from bench.figures import percentile
from bench.machine import cpu_seconds

REQUESTS = 2_000
BODY_BYTES = (3_500, 7_000)
WARM_UP_SECONDS = 1.5
TICK_SECONDS = 0.001


def requests(secret: str) -> list[bytes]:
    """Whole HTTP requests with signed bodies of 3.5 to 7 KB, each about another customer."""
    smallest, largest = BODY_BYTES
    return [
        _request(number, smallest + (largest - smallest) * number // REQUESTS, secret)
        for number in range(REQUESTS)
    ]


def _request(number: int, body_bytes: int, secret: str) -> bytes:
    bare = len(_body(number, items=0))
    item = len(_body(number, items=2)) - len(_body(number, items=1))
    body = _body(number, items=(body_bytes - bare) // item)
    second = int(time.time())
    digest = hmac.new(secret.encode(), b"%d." % second + body, hashlib.sha256).hexdigest()
    head = (
        "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\n"
        "User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n"
        "Accept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Stripe-Signature: t={second},v1={digest}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _body(number: int, *, items: int) -> bytes:
    subscription = {
        "id": f"sub_{number:06}",
        "object": "subscription",
        "customer": f"cus_{number:06}",
        "status": "trialing",
        "metadata": {"platform": "web", "order_id": str(number)},
        "items": {
            "object": "list",
            "data": [
                {
                    "id": f"si_{number:06}{at:02}",
                    "object": "subscription_item",
                    "created": 1_790_000_000,
                    "quantity": 1,
                    "price": {"id": "price_1", "unit_amount": 1_500, "currency": "eur"},
                }
                for at in range(items)
            ],
        },
    }
    event = {
        "id": f"evt_{number:06}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1_790_000_000,
        "livemode": False,
        "type": "customer.subscription.updated",
        "data": {"object": subscription, "previous_attributes": {"metadata": {"order_id": ""}}},
    }
    return json.dumps(event, indent=2).encode()


class Load:
    """All connections, and what was measured on them."""

    def __init__(self, *, requests: list[bytes], rate: float) -> None:
        self.latencies: list[float] = []
        self.failed = 0
        self.running = True
        self._requests = requests
        self._sent = 0
        self._rate = rate
        self._idle: deque[Connection] = deque()
        self._late: deque[float] = deque()

    @property
    def paced(self) -> bool:
        """Whether requests are due at fixed times, whatever the answers do."""
        return self._rate > 0

    def next_request(self) -> bytes:
        self._sent += 1
        return self._requests[self._sent % len(self._requests)]

    def connected(self, connection: "Connection") -> None:
        self._free(connection)

    def answered(self, connection: "Connection", answer: bytes) -> None:
        self.latencies.append(time.perf_counter() - connection.due)
        self.failed += not answer.startswith(b"HTTP/1.1 200")
        self._free(connection)

    async def pace(self) -> None:
        """Send each request when it is due; the wait for an idle connection counts."""
        first, due_count = time.perf_counter(), 0
        while self.running:
            now = time.perf_counter()
            while first + due_count / self._rate <= now:
                self._late.append(first + due_count / self._rate)
                due_count += 1
            while self._late and self._idle:
                self._idle.popleft().send(due=self._late.popleft())
            await asyncio.sleep(TICK_SECONDS)

    def _free(self, connection: "Connection") -> None:
        if not self.running:
            return
        if self.paced:
            self._idle.append(connection)
        else:
            connection.send(due=time.perf_counter())


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, load: Load) -> None:
        self.due = 0.0
        self._load = load
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._load.connected(self)

    def send(self, *, due: float) -> None:
        assert self._transport is not None
        self.due = due
        self._transport.write(self._load.next_request())

    def data_received(self, data: bytes) -> None:
        self._load.answered(self, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._load.failed += self._load.running


async def measured(
    *, port: int, connections: int, rate: float, seconds: float, server: int, secret: str
) -> dict[str, float]:
    """Load the server for `seconds` after a warm-up; `server` is its process id."""
    load = Load(requests=requests(secret), rate=rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(load), "127.0.0.1", port)
    pacing = asyncio.create_task(load.pace()) if load.paced else None
    await asyncio.sleep(WARM_UP_SECONDS)
    load.latencies.clear()
    cpu_before, before, own_before = cpu_seconds(server), time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    took, latencies = time.perf_counter() - before, list(load.latencies)
    cpu, own = cpu_seconds(server) - cpu_before, time.process_time() - own_before
    load.running = False
    if pacing is not None:
        await pacing
    return {
        "per_second": len(latencies) / took,
        "per_cpu_second": len(latencies) / cpu,
        "server_cores": cpu / took,
        "client_cores": own / took,
        "p50_ms": percentile(latencies, 0.50) * 1_000,
        "p99_ms": percentile(latencies, 0.99) * 1_000,
        "failed": load.failed,
    }


def main() -> None:
    """Read what to do from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0, help="per second; 0: as fast as it goes")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--server", type=int, required=True, help="process id of the server")
    parser.add_argument("--secret", required=True)
    chosen = parser.parse_args()
    print(json.dumps(uvloop.run(measured(**vars(chosen)))))


if __name__ == "__main__":
    main()
