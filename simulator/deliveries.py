"""Which event goes to which endpoint, now, later, twice or never."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum

from runtime.clock import Clock
from simulator.channel import Channel, Delivery, Standing
from simulator.composing import compose
from simulator.endpoints import Endpoint, Payload
from simulator.said import Said
from simulator.state import Body

DELIVERIES_KEPT_MAX = 50_000


class Release(StrEnum):
    """The order in which held webhooks are let go."""

    CREATED = "created"
    REVERSED = "reversed"
    SHUFFLED = "shuffled"


class Deliveries:
    """Sends events to every endpoint that wants them; whoever publishes never waits.

    Only used from the server's event loop.

    Args:
        delays: when an event is sent to an endpoint, in seconds from now, once per copy.
        undelivered: by event id, the names of the endpoints that did not accept it yet.
        clock: the real one, for signatures.
    """

    def __init__(
        self,
        *,
        delays: Callable[[str, str], list[float]],
        undelivered: dict[str, set[str]],
        clock: Clock,
    ) -> None:
        self.kept: deque[Delivery] = deque(maxlen=DELIVERIES_KEPT_MAX)
        self.holding = False
        self.drop_next = 0
        self._delays = delays
        self._undelivered = undelivered
        self._clock = clock
        self._held: list[Delivery] = []
        self._channels: dict[str, Channel] = {}
        self._settled = asyncio.Event()
        self._settled.set()

    async def stop(self) -> None:
        """Send no more; what waits is lost."""
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            await channel.closed()

    def send_to(self, endpoints: Iterable[Endpoint]) -> None:
        """Send from now on to these endpoints; what waits for any other one is lost."""
        wanted = {endpoint.name: endpoint for endpoint in endpoints}
        for name in list(self._channels):
            channel = self._channels[name]
            if name in wanted and channel.endpoint.url == wanted[name].url:
                channel.endpoint = wanted[name]
            else:
                del self._channels[name]
                channel.close()
        for endpoint in wanted.values():
            if endpoint.name not in self._channels:
                self._open(endpoint)

    def _open(self, endpoint: Endpoint) -> None:
        self._channels[endpoint.name] = Channel(
            endpoint,
            compose=self._compose,
            accepted=self._accepted,
            settled=self._look_whether_settled,
            clock=self._clock,
        )

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where events are sent now."""
        return tuple(channel.endpoint for channel in self._channels.values())

    def publish(self, changes: Iterable[Said]) -> None:
        """Queue events for sending; returns at once."""
        for said in changes:
            self._publish_one(said)

    def send_again(self, said: Said) -> None:
        """Send an event once more to all that want it, whatever became of it before."""
        for channel, event in self._takers(said):
            self._queue(self._new(said, event, channel.endpoint.name), delay=0.0)

    def release(self, order: Release, *, seed: int) -> int:
        """Let the held webhooks go and hold no more; how many were sent."""
        self.holding = False
        held, self._held = self._held, []
        if order is Release.REVERSED:
            held.reverse()
        elif order is Release.SHUFFLED:
            random.Random(seed).shuffle(held)  # noqa: S311
        sent = [delivery for delivery in held if delivery.endpoint in self._channels]
        for delivery in sent:
            self._queue(delivery, delay=0.0)
        return len(sent)

    async def settle(self, *, seconds: float) -> bool:
        """Wait until nothing is on its way (held ones aside); whether that came in time."""
        try:
            await asyncio.wait_for(self._settled.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _takers(self, said: Said) -> list[tuple[Channel, Body]]:
        takers = []
        for channel in self._channels.values():
            event = said.event(channel.endpoint.payload)
            if event is not None and channel.endpoint.wants(event["type"], account=said.account):
                takers.append((channel, event))
        return takers

    def _publish_one(self, said: Said) -> None:
        takers = self._takers(said)
        if not takers:
            return
        dropped = self.drop_next > 0
        self.drop_next -= dropped
        for channel, event in takers:
            name = channel.endpoint.name
            self._undelivered.setdefault(event["id"], set()).add(name)
            delays = [] if dropped else self._delays(event["id"], name)
            if not delays:
                self._new(said, event, name).standing = Standing.DROPPED
            for delay in delays:
                delivery = self._new(said, event, name)
                if self.holding:
                    self._held.append(delivery)
                else:
                    self._queue(delivery, delay=delay)

    def _new(self, said: Said, event: Body, endpoint: str) -> Delivery:
        delivery = Delivery(said=said, event=event, endpoint=endpoint)
        self.kept.append(delivery)
        return delivery

    def _queue(self, delivery: Delivery, *, delay: float) -> None:
        self._settled.clear()
        self._channels[delivery.endpoint].queue(delivery, delay=delay)

    def _compose(self, delivery: Delivery, endpoint: Endpoint) -> bytes:
        pending = len(self._undelivered.get(delivery.event["id"], ()))
        if endpoint.payload is Payload.THIN:
            return compose(delivery.said, endpoint, pending=0)
        return compose(delivery.said, endpoint, pending=max(pending, 1))

    def _accepted(self, delivery: Delivery) -> None:
        waiting = self._undelivered.get(delivery.event["id"], set())
        waiting.discard(delivery.endpoint)
        if not waiting:
            self._undelivered.pop(delivery.event["id"], None)

    def _look_whether_settled(self) -> None:
        if not any(channel.unsettled for channel in self._channels.values()):
            self._settled.set()
