"""Webhooks: signed, sent in the order of the events, sent again until they are accepted."""

import asyncio
import random
import zlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum

import httptools

from runtime.clock import MICROS_PER_SECOND, Clock
from simulator.exchange import pretty
from simulator.sending import Sender
from simulator.signature import signature_header
from simulator.state import Body

ATTEMPTS_MAX = 16
RETRY_SECONDS_MAX = 3_600.0
DELIVERIES_KEPT_MAX = 50_000


class Standing(StrEnum):
    """What has become of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    FAILED = "failed"


class Release(StrEnum):
    """The order in which held webhooks are let go."""

    CREATED = "created"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One sending of one event; `outcomes` has a status or an error's name per attempt."""

    event: Body
    standing: Standing = Standing.WAITING
    outcomes: list[str] = field(default_factory=list)

    def shown(self) -> Body:
        """What the control endpoint says of it."""
        return {
            "event": self.event["id"],
            "type": self.event["type"],
            "object": self.event["data"]["object"].get("id"),
            "standing": self.standing,
            "outcomes": list(self.outcomes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where webhooks go, how they are signed and how many are in flight at once.

    `lanes` webhooks are sent side by side; those of one object always one after the other.
    """

    url: str
    secrets: tuple[str, ...]
    lanes: int
    retry_seconds: float


class Deliveries:
    """Sends events from queues of its own; whoever publishes never waits.

    Only used from the server's event loop.

    Args:
        endpoint: where webhooks go; None sends none.
        delays: when an event is sent, in seconds from now, once per copy.
        undelivered: holds the ids of the events that were not accepted yet.
        clock: the real one, for signatures.
    """

    def __init__(
        self,
        *,
        endpoint: Endpoint | None,
        delays: Callable[[str], list[float]],
        undelivered: set[str],
        clock: Clock,
    ) -> None:
        self.kept: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT_MAX)
        self.holding = False
        self.drop_next = 0
        self._endpoint = endpoint
        self._delays = delays
        self._undelivered = undelivered
        self._clock = clock
        self._held: list[Delivery] = []
        self._unsettled = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._lanes: list[asyncio.Queue[Delivery]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> Endpoint | None:
        """Where webhooks go; None sends none."""
        return self._endpoint

    async def start(self) -> None:
        """Begin to send."""
        await self.direct_to(self._endpoint)

    async def stop(self) -> None:
        """Send no more; what waits is lost."""
        await self._stop_lanes()

    async def direct_to(self, endpoint: Endpoint | None) -> None:
        """Send from now on to another endpoint; what waits is lost."""
        await self._stop_lanes()
        self._endpoint = endpoint
        if endpoint is None:
            return
        for _ in range(endpoint.lanes):
            lane: asyncio.Queue[Delivery] = asyncio.Queue()
            self._lanes.append(lane)
            self._spawn(self._run(lane, endpoint))

    def publish(self, events: list[Body]) -> None:
        """Queue events for sending; returns at once."""
        if self._endpoint is None:
            return
        for event in events:
            self._publish_one(event)

    def send_again(self, event: Body) -> None:
        """Send an event once more, as it is, whatever became of it before."""
        if self._endpoint is not None:
            self._queue(self._new(event), delay=0.0)

    def release(self, order: Release, *, seed: int) -> int:
        """Let the held webhooks go and hold no more; how many were sent."""
        self.holding = False
        held, self._held = self._held, []
        if order is Release.REVERSED:
            held.reverse()
        elif order is Release.SHUFFLED:
            random.Random(seed).shuffle(held)  # noqa: S311
        if self._endpoint is None:
            return 0
        for delivery in held:
            self._queue(delivery, delay=0.0)
        return len(held)

    async def settle(self, *, seconds: float) -> bool:
        """Wait until nothing is on its way (held ones aside); whether that came in time."""
        try:
            await asyncio.wait_for(self._settled.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _publish_one(self, event: Body) -> None:
        delays = self._delays(event["id"])
        self._undelivered.add(event["id"])
        if self.drop_next:
            self.drop_next -= 1
            delays = []
        if not delays:
            self.kept.append(Delivery(event=event, standing=Standing.DROPPED))
            return
        for delay in delays:
            delivery = self._new(event)
            if self.holding:
                self._held.append(delivery)
            else:
                self._queue(delivery, delay=delay)

    def _new(self, event: Body) -> Delivery:
        delivery = Delivery(event=event)
        self.kept.append(delivery)
        return delivery

    def _queue(self, delivery: Delivery, *, delay: float) -> None:
        self._unsettled += 1
        self._settled.clear()
        if delay > 0:
            self._spawn(self._enter_later(delivery, seconds=delay))
        else:
            self._enter_lane(delivery)

    async def _enter_later(self, delivery: Delivery, *, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._enter_lane(delivery)

    def _enter_lane(self, delivery: Delivery) -> None:
        body = delivery.event["data"]["object"]
        name = str(body.get("id") or delivery.event["id"])
        self._lanes[zlib.crc32(name.encode()) % len(self._lanes)].put_nowait(delivery)

    async def _run(self, lane: asyncio.Queue[Delivery], endpoint: Endpoint) -> None:
        sender = Sender(endpoint.url)
        try:
            while True:
                await self._attempt(await lane.get(), endpoint, sender)
        finally:
            sender.close()

    async def _attempt(self, delivery: Delivery, endpoint: Endpoint, sender: Sender) -> None:
        outcome = await self._send(delivery.event, endpoint, sender)
        delivery.outcomes.append(outcome)
        if outcome.startswith("2"):
            delivery.standing = Standing.DELIVERED
            self._undelivered.discard(delivery.event["id"])
        elif len(delivery.outcomes) >= ATTEMPTS_MAX:
            delivery.standing = Standing.FAILED
        else:
            # A failed webhook waits for its turn elsewhere: the ones behind it go on.
            waits = endpoint.retry_seconds * 2.0 ** (len(delivery.outcomes) - 1)
            seconds = min(waits, RETRY_SECONDS_MAX)
            self._spawn(self._enter_later(delivery, seconds=seconds))
            return
        self._unsettled -= 1
        if not self._unsettled:
            self._settled.set()

    async def _send(self, event: Body, endpoint: Endpoint, sender: Sender) -> str:
        body = pretty({**event, "pending_webhooks": 1})
        # Signed with the real time: receivers refuse a signature that is old by their clock.
        at = self._clock.utc_micros() // MICROS_PER_SECOND
        headers = {
            "Accept": "*/*",
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature_header(body, secrets=endpoint.secrets, at=at),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            return str(await sender.post(body, headers))
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

    async def _stop_lanes(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._lanes = []
        self._unsettled = 0
        self._settled.set()
