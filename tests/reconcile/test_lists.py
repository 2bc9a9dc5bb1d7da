"""What of Stripe's lists was not read, and which types that concerns."""

from collections.abc import Iterator, Sequence

import pytest

from producer.backfill_items import ItemReader
from producer.backfill_plan import ways_in_mode
from producer.backfill_report import Tally
from producer.known_objects import Open
from producer.rate_limit import AllowedRates, RateLimiter
from producer.reconcile import NotRead
from producer.reconcile_groups import groups, reconcilable
from producer.reconcile_lists import StripeLists
from producer.stripe_api import StripeApi
from runtime.clock import SystemClock
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from simulator.server import Simulator
from simulator.simulation import Options

PERSONS = "/v1/accounts/{}/persons"


class Read:
    """What one reading of a simulated Stripe showed."""

    def __init__(self, simulator: Simulator, *, livemode: bool) -> None:
        clock = SystemClock()
        limiter = RateLimiter(
            clock=clock, allowed=AllowedRates(account_per_second=1e4, endpoint_per_second=1e4)
        )
        self.ways = ways_in_mode(load_ways(), livemode=livemode)
        key = "sk_live_simulated" if livemode else "sk_test_simulated"
        self._lists = StripeLists(
            api=StripeApi(key=key, base=simulator.url, clock=clock, limiter=limiter),
            limiter=limiter,
            items=ItemReader(catalogue=load_catalogue()),
            ways=self.ways,
            tally=Tally(),
            shown=lambda: None,
            clock=clock,
            stop=Stop(),
        )
        self.keys: set[str] = set()

    def __call__(self, *objects: str) -> NotRead:
        def take(_name: str, shown: Sequence[Open]) -> None:
            self.keys |= {one.key for one in shown}

        return self._lists.read(objects, "", take, since=None)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(Options()) as running:
        yield running


def forbid(simulator: Simulator, *paths: str) -> None:
    kind = ResponseFaultKind.FORBIDDEN
    faults = tuple(ResponseFault(kind=kind, path=path) for path in paths)
    simulator.put_faults(FaultPlan(responses=faults))


def test_a_live_key_leaves_nothing_unread_for_want_of_test_clocks() -> None:
    with Simulator(Options(livemode=True)) as live:
        customers = live.make("customer", count=2, events=False)
        read = Read(live, livemode=True)
        for group in groups(reconcilable(read.ways, read.ways), read.ways):
            assert read(*group) == NotRead(), group
        assert set(customers) <= read.keys
        asked = live.requests_by_second(endpoint="GET /v1/test_helpers/test_clocks")
        assert sum(asked.values()) == 0


def test_a_key_that_may_not_read_test_clocks_reads_what_lists_of_its_own_show(
    simulator: Simulator,
) -> None:
    customers = simulator.make("customer", count=2, events=False)
    forbid(simulator, "/v1/test_helpers/test_clocks")
    read = Read(simulator, livemode=False)

    not_read = read("customer", "test_helpers.test_clock")

    assert not_read.whole == {"test_helpers.test_clock": "forbidden"}
    assert not_read.above == {"customer": ("test_helpers.test_clock", "forbidden")}
    assert set(customers) <= read.keys


def test_what_only_a_refused_parent_shows_is_not_read(simulator: Simulator) -> None:
    forbid(simulator, "/v1/accounts")

    not_read = Read(simulator, livemode=False)("person", "account")

    assert not_read.whole == {"account": "forbidden", "person": "forbidden"}


def test_persons_of_some_accounts_are_refused_and_those_of_others_read(
    simulator: Simulator,
) -> None:
    (one, other) = (simulator.make("account", events=False)[0] for _account in range(2))
    made = simulator.make("person", fields={"account": one}, events=False)
    forbid(simulator, PERSONS.format(other))
    read = Read(simulator, livemode=False)

    not_read = read("person")

    assert not_read == NotRead(in_part={"person": {"forbidden": 1}})
    assert set(made) == read.keys


def test_persons_of_every_account_are_refused(simulator: Simulator) -> None:
    simulator.make("account", events=False)
    forbid(simulator, PERSONS.format("*"))

    assert Read(simulator, livemode=False)("person").whole == {"person": "forbidden"}
