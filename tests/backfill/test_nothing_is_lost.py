"""A cursor stands for what Kafka has: whatever flush fails, going on from it ends complete."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from producer.asking import Asking
from producer.backfill import Backfill
from producer.backfill_items import ItemReader
from producer.backfill_plan import plan_for
from producer.backfill_questions import Asked
from producer.backfill_report import Tally
from producer.backfill_scope import Scope
from producer.errors import KafkaUnreachable, StripeUnreachable
from producer.rate_limit import AllowedRates, RateLimiter
from producer.stripe_api import StripeApi
from runtime.clock import SystemClock
from runtime.metrics import BACKFILL_OBJECTS, Meters
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.inbox import Envelope
from schemas.objects import load_catalogue
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from simulator.server import Simulator
from tests.backfill.backfilling import API_KEY

DAY = 24 * 3_600
HANG_SECONDS = 3_600.0


class Inbox:
    """Holds what was flushed; one flush, counted where there is something, loses what was put."""

    def __init__(self, *, fails_at: int = 0) -> None:
        self.held: list[str] = []
        self._put: list[str] = []
        self._flushes = 0
        self._fails_at = fails_at

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:  # noqa: ARG002
        self._put.append(key)

    def flush(self) -> None:
        self._flushes += bool(self._put)
        if self._put and self._flushes == self._fails_at:
            self._put.clear()
            raise KafkaUnreachable("away")
        self.held += self._put
        self._put.clear()


class Cursors:
    """Holds every cursor that was ever put, oldest first."""

    def __init__(self) -> None:
        self.history: list[tuple[str, dict[str, Any]]] = []

    def read(self) -> dict[str, dict[str, Any]]:
        return copy.deepcopy(dict(self.history))

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self.history.append((key, copy.deepcopy(dict(value))))


class Runs:
    """Runs over the same Stripe, each with what is given to it."""

    def __init__(self, api: StripeApi, limiter: RateLimiter) -> None:
        self._api = api
        self._limiter = limiter
        self.meters = Meters()

    def run(self, objects: Iterable[str], *, inbox: Inbox, cursors: Cursors) -> bool:
        ways = load_ways()
        stop = Stop()
        asking: Asking[Asked] = Asking(threads=8, stop=stop)
        owned = {
            child.object_name for way in ways.values() for child in way.children if child.owned
        }
        try:
            return Backfill(
                scope=Scope(selection="", plan=plan_for(objects, ways), since=None, until=None),
                api=self._api,
                limiter=self._limiter,
                asking=asking,
                inbox=inbox,
                cursors=cursors,
                items=ItemReader(catalogue=load_catalogue()),
                owned=frozenset(owned),
                tally=Tally(),
                meters=self.meters,
                shown=lambda: None,
                clock=SystemClock(),
                stop=stop,
                # After each answer.
                save_seconds=0.0,
            ).run([""])
        finally:
            asking.close()


@pytest.fixture
def runs(api: StripeApi, limiter: RateLimiter) -> Runs:
    return Runs(api, limiter)


@pytest.fixture
def made(simulator: Simulator) -> set[str]:
    """Customers, some with tax ids, invoices of which some have many lines, coupons."""
    customers = simulator.make("customer", count=350, over_seconds=DAY, events=False)
    found = {*customers, *simulator.make("invoice", count=20, events=False)}
    found |= {*simulator.make("coupon", count=450, events=False)}
    found |= {*simulator.make("invoice", count=3, children={"lines": 120}, events=False)}
    for customer in customers[::70]:
        found |= {*simulator.make("tax_id", count=15, fields={"customer": customer})}
    return found


OBJECTS = ("customer", "tax_id", "invoice", "coupon")


@pytest.mark.parametrize("fails_at", [1, 2, 3, 5, 8, 12])
def test_what_kafka_lost_is_read_again(runs: Runs, made: set[str], fails_at: int) -> None:
    cursors, failing, whole = Cursors(), Inbox(fails_at=fails_at), Inbox()
    with pytest.raises(KafkaUnreachable):
        runs.run(OBJECTS, inbox=failing, cursors=cursors)

    done = runs.run(OBJECTS, inbox=whole, cursors=cursors)

    assert done
    assert made <= {*failing.held, *whole.held}


def test_every_cursor_that_was_ever_stored_is_good_to_go_on_from(
    runs: Runs, made: set[str]
) -> None:
    cursors, first = Cursors(), Inbox()
    held_at: list[int] = []
    put = cursors.put

    def noted(key: str, value: Mapping[str, Any]) -> None:
        held_at.append(len(first.held))
        put(key, value)

    cursors.put = noted  # type: ignore[method-assign]
    assert runs.run(OBJECTS, inbox=first, cursors=cursors)
    stored = list(zip(cursors.history, held_at, strict=True))
    assert len(stored) > 10

    for (key, value), held in stored[:: len(stored) // 8]:
        again, later = Cursors(), Inbox()
        again.put(key, value)
        runs.run(OBJECTS, inbox=later, cursors=again)
        assert made <= {*first.held[:held], *later.held}


def test_what_was_read_before_stripe_went_away_is_kept(
    runs: Runs, made: set[str], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.asking.ATTEMPTS_MAX", 1)
    lost = ResponseFault(kind=ResponseFaultKind.SERVER_ERROR, path="/v1/invoices*")
    simulator.put_faults(FaultPlan(responses=(lost,)))
    cursors, first, second = Cursors(), Inbox(), Inbox()

    with pytest.raises(StripeUnreachable):
        runs.run(OBJECTS, inbox=first, cursors=cursors)
    simulator.put_faults(FaultPlan())
    runs.run(OBJECTS, inbox=second, cursors=cursors)

    assert made <= {*first.held, *second.held}


def test_a_request_that_is_never_answered_is_made_again(
    simulator: Simulator, limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = simulator.make("customer", count=250, over_seconds=DAY, events=False)
    hangs = ResponseFault(
        kind=ResponseFaultKind.HANG, path="/v1/customers", times=2, seconds=HANG_SECONDS
    )
    simulator.put_faults(FaultPlan(responses=(hangs,)))
    monkeypatch.setattr("producer.stripe_api.REQUEST_SECONDS_MAX", 0.2)
    api = StripeApi(key=API_KEY, base=simulator.url, clock=SystemClock(), limiter=limiter)
    inbox = Inbox()

    assert Runs(api, limiter).run(["customer"], inbox=inbox, cursors=Cursors())

    assert simulator.faults_struck() == [2]
    assert set(customers) <= set(inbox.held)


def test_a_storm_of_429_ends_with_everything_there_and_a_slower_limiter(
    simulator: Simulator,
) -> None:
    customers = simulator.make("customer", count=8_000, over_seconds=300 * DAY, events=False)
    limit = 40
    simulator.put_limits(requests_per_second=limit)
    allowed = AllowedRates(account_per_second=200.0, endpoint_per_second=200.0)
    limiter = RateLimiter(clock=SystemClock(), allowed=allowed)
    api = StripeApi(key=API_KEY, base=simulator.url, clock=SystemClock(), limiter=limiter)
    runs, inbox = Runs(api, limiter), Inbox()

    runs.run(["customer"], inbox=inbox, cursors=Cursors())

    assert sorted(inbox.held) == sorted(customers)
    assert simulator.requests_refused() > 0
    # That it stays there, test_rate_limit.py proves by a hand clock: a busy machine asks less.
    assert limiter.per_second(account_id="") < allowed.account_per_second
    assert runs.meters.value(BACKFILL_OBJECTS, object="customer") == len(customers)
