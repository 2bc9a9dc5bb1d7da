"""One endpoint's queues: events sent in order, and again until they are accepted."""

import asyncio
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum

import httptools

from runtime.clock import MICROS_PER_SECOND, Clock
from simulator.composing import headers
from simulator.endpoints import Endpoint
from simulator.said import Said
from simulator.sending import Sender
from simulator.state import Body

ATTEMPTS_MAX = 16
RETRY_SECONDS_MAX = 3_600.0


class Standing(StrEnum):
    """What has become of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One sending of one event; `outcomes` has a status or an error's name per attempt."""

    said: Said
    event: Body
    endpoint: str
    standing: Standing = Standing.WAITING
    outcomes: list[str] = field(default_factory=list)

    def shown(self) -> Body:
        """What the control endpoint says of it."""
        return {
            "event": self.event["id"],
            "type": self.event["type"],
            "object": self.said.subject.get("id"),
            "endpoint": self.endpoint,
            "standing": self.standing,
            "outcomes": list(self.outcomes),
        }


class Channel:
    """Sends to one endpoint from queues of its own; whoever queues never waits.

    Only used from the server's event loop.

    Args:
        endpoint: where to, and how signed.
        compose: the bytes to send, made when they are sent.
        accepted: told of each delivery that its receiver accepted.
        settled: told whenever nothing is on its way any more.
        clock: the real one, for signatures.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        compose: Callable[[Delivery, Endpoint], bytes],
        accepted: Callable[[Delivery], None],
        settled: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.endpoint = endpoint
        self.unsettled = 0
        self._compose = compose
        self._accepted = accepted
        self._settled = settled
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: list[asyncio.Queue[Delivery]] = []
        for _ in range(endpoint.lanes):
            lane: asyncio.Queue[Delivery] = asyncio.Queue()
            self._lanes.append(lane)
            self._spawn(self._run(lane))

    def queue(self, delivery: Delivery, *, delay: float) -> None:
        """Send it after those before it, and at the earliest in `delay` seconds."""
        self.unsettled += 1
        if delay > 0:
            self._spawn(self._enter_later(delivery, seconds=delay))
        else:
            self._enter_lane(delivery)

    def close(self) -> None:
        """Send no more; what waits is lost."""
        for task in list(self._tasks):
            task.cancel()
        self.unsettled = 0
        self._settled()

    async def closed(self) -> None:
        """Close, and wait until nothing runs any more."""
        tasks = list(self._tasks)
        self.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _enter_later(self, delivery: Delivery, *, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._enter_lane(delivery)

    def _enter_lane(self, delivery: Delivery) -> None:
        name = str(delivery.said.subject.get("id") or delivery.event["id"])
        self._lanes[zlib.crc32(name.encode()) % len(self._lanes)].put_nowait(delivery)

    async def _run(self, lane: asyncio.Queue[Delivery]) -> None:
        sender = Sender(self.endpoint.url)
        try:
            while True:
                await self._attempt(await lane.get(), sender)
        finally:
            sender.close()

    async def _attempt(self, delivery: Delivery, sender: Sender) -> None:
        outcome = await self._send(delivery, sender)
        delivery.outcomes.append(outcome)
        if outcome.startswith("2"):
            delivery.standing = Standing.DELIVERED
            self._accepted(delivery)
        elif len(delivery.outcomes) >= ATTEMPTS_MAX:
            delivery.standing = Standing.FAILED
        else:
            # A failed webhook waits for its turn elsewhere: the ones behind it go on.
            waits = self.endpoint.retry_seconds * 2.0 ** (len(delivery.outcomes) - 1)
            seconds = min(waits, RETRY_SECONDS_MAX)
            self._spawn(self._enter_later(delivery, seconds=seconds))
            return
        self.unsettled -= 1
        if not self.unsettled:
            self._settled()

    async def _send(self, delivery: Delivery, sender: Sender) -> str:
        body = self._compose(delivery, self.endpoint)
        # Signed with the real time: receivers refuse a signature that is old by their clock.
        at = self._clock.utc_micros() // MICROS_PER_SECOND
        try:
            return str(await sender.post(body, headers(body, self.endpoint, at=at)))
        except (OSError, httptools.HttpParserError) as error:
            return type(error).__name__

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Forget a task; one that failed by our own mistake is reported by the event loop."""
        self._tasks.discard(task)
        if not task.cancelled():
            task.result()
