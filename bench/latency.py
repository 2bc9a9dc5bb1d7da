"""The whole way: from the start of a webhook's POST until its row is visible, at a fixed rate.

Postgres itself tells when a row can be seen: a trigger's notification goes out with the commit.
Sender and listener are this process, so one clock measures both ends.
"""

import asyncio
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import uvloop

from bench.figures import Figure, percentile
from tests.end_to_end.installation import Installation
from tests.end_to_end.stripe_events import (
    FIRST_SECOND,
    Told,
    history,
    signature,
    subscription_event,
)
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_database, fresh_namespace

PER_SECOND = 200
SECONDS = 30
WARM_UP_SECONDS = 3
ARRIVE_SECONDS_MAX = 60.0
BODY_BYTES = 5_000
CONNECTIONS = 32
NOTIFY = """
    create function tell() returns trigger language plpgsql as
    $$ begin perform pg_notify('seen', new.id); return null; end $$;
    create trigger tell after insert or update on stripe.subscription
    for each row execute function tell();
"""


def run(infrastructure: Infrastructure) -> list[Figure]:
    """200 events a second for 30 seconds, each about another subscription."""
    with (
        fresh_namespace(infrastructure) as namespace,
        fresh_database(infrastructure) as database_url,
        tempfile.TemporaryDirectory() as folder,
    ):
        installation = Installation(
            infrastructure, namespace=namespace, database_url=database_url, folder=Path(folder)
        )
        with installation.running():
            first = history("sub_first", versions=1)[0]
            installation.sender().deliver(first)
            installation.await_versions({"sub_first": 0})
            return [_measured(installation)]


def _measured(installation: Installation) -> Figure:
    seen: dict[str, float] = {}
    events = [_event(number) for number in range(PER_SECOND * (WARM_UP_SECONDS + SECONDS))]
    with psycopg.connect(installation.database_url, autocommit=True) as connection:
        connection.execute(NOTIFY)
        connection.execute("listen seen")
        listener = threading.Thread(target=_listen, args=(connection, seen, len(events)))
        listener.start()
        sent = uvloop.run(_send(int(installation.webhook.said("port")), events))
        listener.join()
    measured = events[PER_SECOND * WARM_UP_SECONDS :]
    missing = [event.object_id for event in measured if event.object_id not in seen]
    milliseconds = [
        (seen[event.object_id] - sent[event.object_id]) * 1_000
        for event in measured
        if event.object_id in seen
    ]
    return Figure(
        name="latency",
        per_second=PER_SECOND,
        p50_ms=percentile(milliseconds, 0.5),
        p99_ms=percentile(milliseconds, 0.99),
        details={"max_ms": round(max(milliseconds), 1), "missing": len(missing)},
    )


def _event(number: int) -> Told:
    return subscription_event(
        f"sub_{number:06}",
        version=0,
        second=FIRST_SECOND,
        kind="created",
        description="x" * BODY_BYTES,
    )


def _listen(connection: psycopg.Connection, seen: dict[str, float], count: int) -> None:
    for notification in connection.notifies(timeout=ARRIVE_SECONDS_MAX, stop_after=count):
        seen[notification.payload] = time.monotonic()
        if len(seen) == count:
            return


async def _send(port: int, events: list[Told]) -> dict[str, float]:
    """Post each event when it is due, whether or not the answers come; when each was due.

    Speaks just enough HTTP for that: a client library would cost more than what is measured.
    """
    due: asyncio.Queue[bytes] = asyncio.Queue()
    begun: dict[str, float] = {}
    requests = [_request(event) for event in events]
    lines = [asyncio.create_task(_post(port, due)) for _ in range(CONNECTIONS)]
    start = time.monotonic()
    for number, (event, request) in enumerate(zip(events, requests, strict=True)):
        at = start + number / PER_SECOND
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        begun[event.object_id] = at
        due.put_nowait(request)
    await due.join()
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)
    return begun


async def _post(port: int, due: asyncio.Queue[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(await due.get())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            due.task_done()
    finally:
        writer.close()


def _request(event: Told) -> bytes:
    head = (
        "POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Type: application/json\r\n"
        f"Stripe-Signature: {signature(event.body)}\r\n"
        f"Content-Length: {len(event.body)}\r\n\r\n"
    )
    return head.encode() + event.body
