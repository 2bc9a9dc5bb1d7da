"""The whole way: from the start of a webhook's POST until its row is visible, at a fixed rate.

Postgres itself tells when a row can be seen: a trigger's notification goes out with the commit.
Sender and listener are this process, so one clock measures both ends.
"""

import asyncio
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psycopg

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
        sent = asyncio.run(_send(int(installation.webhook.said("port")), events))
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
    """Post the events on time, whether or not the answers come; when each was begun."""
    begun: dict[str, float] = {}
    requests = [(event, signature(event.body)) for event in events]
    limits = httpx.Limits(max_connections=PER_SECOND)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=ARRIVE_SECONDS_MAX, limits=limits
    ) as client:

        async def post(event: Told, signed: str) -> None:
            begun[event.object_id] = time.monotonic()
            answer = await client.post(
                "/webhooks/stripe",
                content=event.body,
                headers={"Content-Type": "application/json", "Stripe-Signature": signed},
            )
            answer.raise_for_status()

        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, (event, signed) in enumerate(requests):
                await asyncio.sleep(max(0.0, start + number / PER_SECOND - time.monotonic()))
                group.create_task(post(event, signed))
    return begun
