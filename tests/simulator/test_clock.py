"""The clock that can be moved, and what comes due."""

import httpx
import pytest
from stripe import StripeClient

from runtime.clock import MICROS_PER_SECOND, SystemClock
from simulator.clock import MovableClock
from simulator.resources.periods import later, period_end
from simulator.server import Simulator
from tests.simulator.conftest import START_SECONDS
from tests.simulator.receiver import Receiver
from tests.simulator.shop import Shop

JANUARY_31 = 1_769_817_600
FEBRUARY_28 = 1_772_236_800
MARCH_31 = 1_774_915_200


class HandClock:
    """A real clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100

    def utc_micros(self) -> int:
        return self.seconds * MICROS_PER_SECOND

    def monotonic_seconds(self) -> float:
        return float(self.seconds)


def test_the_clock_runs_beside_the_real_one() -> None:
    real = HandClock()
    clock = MovableClock(real=real, start_seconds=1_000)

    real.seconds += 5

    assert clock.seconds == 1_005


def test_a_moved_clock_goes_on_from_there() -> None:
    real = HandClock()
    clock = MovableClock(real=real)

    clock.move_to(1_000)
    real.seconds += 5

    assert clock.seconds == 1_005


def test_a_stopped_clock_stands_until_it_is_moved_or_started() -> None:
    real = HandClock()
    clock = MovableClock(real=real)

    clock.stop()
    real.seconds += 5
    stood = clock.seconds
    clock.move_to(200)
    moved = clock.seconds
    clock.start()
    real.seconds += 5

    assert (stood, moved, clock.seconds) == (100, 200, 205)


def test_the_clock_never_goes_back() -> None:
    clock = MovableClock(real=HandClock())

    clock.move_to(50)

    assert clock.seconds == 100


def test_waiting_is_never_simulated() -> None:
    clock = MovableClock(real=SystemClock())
    before = clock.monotonic_seconds()

    clock.move_to(clock.seconds + 1_000_000)

    assert clock.monotonic_seconds() - before < 1_000_000


def test_objects_are_made_at_the_simulated_time(
    simulator: Simulator, client: StripeClient
) -> None:
    simulator.stop_clock()
    assert simulator.advance(seconds=1_000) == START_SECONDS + 1_000

    assert client.v1.customers.create({}).created == START_SECONDS + 1_000


def test_what_comes_due_happens_without_being_asked_for(
    simulator: Simulator, shop: Shop, receiver: Receiver
) -> None:
    trial = shop.subscription(trial_end=simulator.now() + 2)

    event = receiver.wait_for("customer.subscription.updated")

    assert event["created"] == trial.trial_end
    assert event["data"]["object"]["status"] == "active"


def test_the_control_endpoint_refuses_to_go_back(http: httpx.Client) -> None:
    answer = http.post("/_simulator/clock", json={"now": START_SECONDS - 1})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "now"


@pytest.mark.parametrize(
    ("interval", "count", "end"),
    [
        ("month", 1, FEBRUARY_28),
        ("month", 2, MARCH_31),
        ("day", 59, MARCH_31),
        ("week", 4, FEBRUARY_28),
    ],
)
def test_periods_end_on_the_anchors_day_or_the_months_last(
    interval: str, count: int, end: int
) -> None:
    assert later(JANUARY_31, interval=interval, count=count) == end


def test_a_period_is_counted_from_the_anchor_not_from_a_short_month() -> None:
    assert period_end(JANUARY_31, start=FEBRUARY_28, interval="month", count=1) == MARCH_31
