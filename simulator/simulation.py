"""The simulated world and its parts: made anew by a reset, moved on by time."""

from dataclasses import dataclass, field, replace

from runtime.clock import Clock
from simulator.agenda import Agenda
from simulator.api import Api
from simulator.clock import MovableClock
from simulator.deliveries import Deliveries
from simulator.endpoints import WEBHOOK_RETRY_SECONDS, Endpoint
from simulator.errors import no_such
from simulator.events import API_VERSION
from simulator.expanding import Expander
from simulator.faults import FaultPlan, Faults
from simulator.faulty import FaultyApi
from simulator.generic.every_type import every_type, identities
from simulator.identifiers import Identifiers
from simulator.limited import LimitedApi
from simulator.limits import Limits, Pace
from simulator.resources.due import happen
from simulator.resources.webhook_endpoints import registered
from simulator.said import Said
from simulator.session import Session
from simulator.state import State
from simulator.world import Origin, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a simulator is set up.

    Args:
        host: address that is listened on.
        port: port that is listened on; 0 takes a free one.
        webhook_url: where webhooks go; empty sends none.
        webhook_secrets: signing secrets; a webhook is signed with each.
        webhook_lanes: webhooks in flight at once; 1 keeps them all in order.
        webhook_retry_seconds: wait before the second attempt; doubled before each further one.
        endpoints: further receivers of events.
        api_version: the account's default version.
        requests_per_second: of one account; None for as many as come.
        requests_per_second_per_endpoint: of one account to one endpoint.
        seed: decides every id.
        faults: what goes wrong.
        livemode: whether objects are live ones and `sk_live_` keys are asked for.
        start_seconds: unix time at which the world starts; None for now.
    """

    host: str = "127.0.0.1"
    port: int = 0
    webhook_url: str = ""
    webhook_secrets: tuple[str, ...] = ("whsec_simulator",)
    webhook_lanes: int = 1
    webhook_retry_seconds: float = WEBHOOK_RETRY_SECONDS
    endpoints: tuple[Endpoint, ...] = ()
    api_version: str = API_VERSION
    requests_per_second: float | None = None
    requests_per_second_per_endpoint: float | None = None
    seed: int = 0
    faults: FaultPlan = field(default_factory=FaultPlan)
    livemode: bool = False
    start_seconds: int | None = None

    def limits(self) -> Limits:
        """How many requests a second are answered."""
        return Limits(
            requests_per_second=self.requests_per_second,
            requests_per_second_per_endpoint=self.requests_per_second_per_endpoint,
        )

    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """Every receiver of events."""
        if not self.webhook_url:
            return self.endpoints
        own = Endpoint(
            url=self.webhook_url,
            secrets=self.webhook_secrets,
            lanes=self.webhook_lanes,
            retry_seconds=self.webhook_retry_seconds,
        )
        return (own, *self.endpoints)


class Simulation:
    """One simulated Stripe; only used from the server's event loop."""

    def __init__(self, options: Options, *, real: Clock) -> None:
        self.options = options
        self.types = every_type()
        self._real = real
        self.faults = Faults(options.faults)
        self.deliveries: Deliveries
        self.world: World
        self.api: LimitedApi
        self.pace = Pace(options.limits(), clock=real)
        self._endpoints = {endpoint.name: endpoint for endpoint in options.all_endpoints()}
        self._make(options.seed)

    async def start(self) -> None:
        """Begin to send webhooks."""
        self._direct()

    async def stop(self) -> None:
        """Send no more."""
        await self.deliveries.stop()

    async def reset(self, *, seed: int | None) -> None:
        """Forget everything but the fault plan, the limits and where webhooks go."""
        await self.deliveries.stop()
        chosen = self.options.seed if seed is None else seed
        self._make(chosen)
        self.faults.put(self.faults.plan)
        self.pace.put(self.pace.limits)
        self._direct()

    def advance_to(self, seconds: int) -> None:
        """Move the clock, stopping at each moment at which something comes due."""
        world = self.world
        while (entry := world.agenda.take(until=seconds)) is not None:
            world.clock.move_to(entry.at)
            asked = world.by_account.get(entry.account)
            if asked is None:
                continue
            session = Session(asked, origin=Origin())
            try:
                happen(session, entry)
            except BaseException:
                session.roll_back()
                raise
            self.publish(session.changes)
        world.clock.move_to(seconds)

    def tick(self) -> None:
        """Let happen what came due while the clock ran by itself."""
        due_at = self.world.agenda.next_at()
        if due_at is not None and due_at <= self.world.clock.seconds:
            self.advance_to(self.world.clock.seconds)

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Send events to this receiver, in place of one of its name; an empty URL sends none."""
        self._endpoints.pop(endpoint.name, None)
        if endpoint.url:
            self._endpoints[endpoint.name] = endpoint
        self._direct()

    def say_thin(self, kind: str, *, name: str, identifier: str, account: str) -> None:
        """Say of an object what no snapshot event tells.

        Raises:
            Refused: there is no such account or object.
        """
        if account not in self.world.by_account:
            raise no_such("account", account, parameter="account")
        session = Session(self.world.by_account[account], origin=Origin())
        session.say(kind, session.get(name, identifier), only_thin=True)
        self.publish(session.changes)

    def session(self, account: str) -> Session:
        """Reads and writes of the simulator's owner in an account; empty for the platform."""
        return Session(self.world.by_account[account], origin=Origin())

    def publish(self, changes: list[Said]) -> None:
        """Deliver what was said in a session that is over."""
        self._direct()
        self.deliveries.publish(changes)

    def _direct(self) -> None:
        lanes, waits = self.options.webhook_lanes, self.options.webhook_retry_seconds
        made = [
            replace(endpoint, lanes=lanes, retry_seconds=waits)
            for endpoint in registered(self.world)
        ]
        self.deliveries.send_to([*self._endpoints.values(), *made])

    def _make(self, seed: int) -> None:
        self.world = World(
            account="",
            by_account={},
            state=State(identify=identities()),
            clock=MovableClock(real=self._real, start_seconds=self.options.start_seconds),
            identifiers=Identifiers(seed=seed),
            agenda=Agenda(),
            faults=self.faults,
            said={},
            undelivered={},
            aside={},
            livemode=self.options.livemode,
            api_version=self.options.api_version,
        )
        self.world.by_account[""] = self.world
        self.deliveries = Deliveries(
            delays=self.faults.delays,
            undelivered=self.world.undelivered,
            clock=self._real,
        )
        api = Api(
            world=self.world,
            router=self.types.router,
            expander=Expander(self.types.resources),
            publish=self.publish,
        )
        self.api = LimitedApi(FaultyApi(api, self.faults), self.pace, self.types.router)
