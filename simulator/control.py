"""The endpoints under `/_simulator`: the clock, the faults, the webhooks, a fresh start."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from simulator.channel import Delivery, Standing
from simulator.deliveries import Release
from simulator.endpoints import EVERYTHING, WEBHOOK_RETRY_SECONDS, Endpoint, Envelope, Payload
from simulator.errors import Refused, no_such
from simulator.events import VERSION_PATTERN
from simulator.exchange import Answer, Call, json_answer
from simulator.faults import FaultPlan
from simulator.limits import Limits
from simulator.objects import Objects
from simulator.sending import URL_PATTERN
from simulator.simulation import Simulation
from simulator.state import Body

PREFIX = "/_simulator"

Handler: TypeAlias = Callable[[bytes], Awaitable[Body]]


class Asked(BaseModel):
    """A request's JSON body."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockAsked(Asked):
    """Where the clock should go, and whether it should run."""

    advance_seconds: int | None = Field(default=None, ge=0)
    now: int | None = None
    stopped: bool | None = None


class ResetAsked(Asked):
    """The seed of the new world; the old one's where absent."""

    seed: int | None = None


class EndpointAsked(Asked):
    """Where events of which kind should go, and how; an empty `url` sends none."""

    name: str = ""
    url: str = Field(pattern=URL_PATTERN)
    secrets: tuple[str, ...] = Field(default=("whsec_simulator",), min_length=1)
    lanes: int = Field(default=1, ge=1, le=64)
    retry_seconds: float = Field(default=WEBHOOK_RETRY_SECONDS, gt=0)
    enabled_events: tuple[str, ...] = (EVERYTHING,)
    api_version: str = Field(default="", pattern=VERSION_PATTERN)
    from_self: bool = True
    from_accounts: bool = False
    payload: Payload = Payload.SNAPSHOT
    envelope: Envelope = Envelope.NONE
    thin_details: bool = True


class ReleaseAsked(Asked):
    """The order in which held webhooks go."""

    order: Release = Release.CREATED
    seed: int = 0


class DropAsked(Asked):
    """How many of the next events are never sent."""

    count: int = Field(default=1, ge=0)


class ResendAsked(Asked):
    """Ids of events to send once more."""

    events: tuple[str, ...]


class ThinAsked(Asked):
    """A thin event without a snapshot event: its type without `v1.`, and its object."""

    type: str
    object: str
    id: str
    account: str = ""


class SettleAsked(Asked):
    """How long to wait at most."""

    seconds: float = Field(default=10.0, gt=0, le=600)


class Control:
    """Answers the control requests of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        objects = Objects(simulation)
        self._handlers: dict[tuple[str, str], Handler] = {
            ("GET", ""): self._show,
            ("POST", "/clock"): self._clock,
            ("POST", "/reset"): self._reset,
            ("GET", "/faults"): self._faults,
            ("POST", "/faults"): self._put_faults,
            ("POST", "/objects"): objects.make,
            ("POST", "/objects/change"): objects.change,
            ("POST", "/objects/remove"): objects.remove,
            ("GET", "/limits"): self._limits,
            ("POST", "/limits"): self._put_limits,
            ("GET", "/deliveries"): self._deliveries,
            ("POST", "/thin_events"): self._say_thin,
            ("POST", "/webhooks"): self._direct,
            ("POST", "/webhooks/hold"): self._hold,
            ("POST", "/webhooks/release"): self._release,
            ("POST", "/webhooks/drop"): self._drop,
            ("POST", "/webhooks/resend"): self._resend,
            ("POST", "/webhooks/settle"): self._settle,
        }

    async def answer(self, call: Call) -> Answer:
        """The answer to a control request; errors have the shape of Stripe's."""
        handler = self._handlers.get((call.method, call.path.removeprefix(PREFIX).rstrip("/")))
        if handler is None:
            refusal = Refused(f"No control endpoint {call.method} {call.path}", status=404)
            return json_answer(refusal.body(), status=refusal.status)
        try:
            return json_answer(await handler(call.body or b"{}"))
        except ValidationError as error:
            fault = error.errors()[0]
            name = ".".join(str(part) for part in fault["loc"])
            refusal = Refused(fault["msg"], parameter=name)
            return json_answer(refusal.body(), status=refusal.status)
        except Refused as refusal:
            return json_answer(refusal.body(), status=refusal.status)

    async def _show(self, _body: bytes) -> Body:
        simulation = self._simulation
        standings = [delivery.standing for delivery in simulation.deliveries.kept]
        return {
            **self._clock_shown(),
            "objects": simulation.world.state.counts(),
            "webhooks": {
                "urls": [endpoint.url for endpoint in simulation.deliveries.endpoints],
                "holding": simulation.deliveries.holding,
                **{standing.value: standings.count(standing) for standing in Standing},
            },
        }

    async def _clock(self, body: bytes) -> Body:
        asked = ClockAsked.model_validate_json(body)
        simulation, clock = self._simulation, self._simulation.world.clock
        if asked.stopped:
            clock.stop()
        target = asked.now if asked.now is not None else clock.seconds
        target += asked.advance_seconds or 0
        if target < clock.seconds:
            raise Refused("The clock never goes back.", parameter="now")
        if target > clock.seconds:
            simulation.advance_to(target)
        if asked.stopped is False:
            clock.start()
        return self._clock_shown()

    def _clock_shown(self) -> Body:
        clock = self._simulation.world.clock
        return {"now": clock.seconds, "stopped": clock.stopped}

    async def _reset(self, body: bytes) -> Body:
        await self._simulation.reset(seed=ResetAsked.model_validate_json(body).seed)
        return await self._show(b"")

    async def _faults(self, _body: bytes) -> Body:
        faults = self._simulation.faults
        return {"plan": faults.plan.model_dump(mode="json"), "struck": faults.struck}

    async def _put_faults(self, body: bytes) -> Body:
        self._simulation.faults.put(FaultPlan.model_validate_json(body))
        return await self._faults(b"")

    async def _limits(self, _body: bytes) -> Body:
        return self._simulation.pace.shown()

    async def _put_limits(self, body: bytes) -> Body:
        self._simulation.pace.put(Limits.model_validate_json(body))
        return await self._limits(b"")

    async def _deliveries(self, _body: bytes) -> Body:
        return {"deliveries": [delivery.shown() for delivery in self._kept()]}

    def _kept(self) -> list[Delivery]:
        return list(self._simulation.deliveries.kept)

    async def _direct(self, body: bytes) -> Body:
        asked = EndpointAsked.model_validate_json(body)
        self._simulation.put_endpoint(Endpoint(**asked.model_dump()))
        return {"url": asked.url}

    async def _hold(self, _body: bytes) -> Body:
        self._simulation.deliveries.holding = True
        return {"holding": True}

    async def _release(self, body: bytes) -> Body:
        asked = ReleaseAsked.model_validate_json(body)
        return {"released": self._simulation.deliveries.release(asked.order, seed=asked.seed)}

    async def _drop(self, body: bytes) -> Body:
        self._simulation.deliveries.drop_next = DropAsked.model_validate_json(body).count
        return {"dropping": self._simulation.deliveries.drop_next}

    async def _resend(self, body: bytes) -> Body:
        asked = ResendAsked.model_validate_json(body)
        for identifier in asked.events:
            said = self._simulation.world.said.get(identifier)
            if said is None:
                raise no_such("event", identifier, parameter="events")
            self._simulation.deliveries.send_again(said)
        return {"sent": len(asked.events)}

    async def _say_thin(self, body: bytes) -> Body:
        asked = ThinAsked.model_validate_json(body)
        self._simulation.say_thin(
            asked.type, name=asked.object, identifier=asked.id, account=asked.account
        )
        return {"said": asked.type}

    async def _settle(self, body: bytes) -> Body:
        asked = SettleAsked.model_validate_json(body)
        return {"settled": await self._simulation.deliveries.settle(seconds=asked.seconds)}
