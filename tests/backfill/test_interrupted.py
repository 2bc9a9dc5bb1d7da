"""Whatever happens to a backfill, it ends with everything there."""

import pytest

from runtime.errors import ExitCode
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from tests.backfill.backfilling import Backfilling, Running
from tests.end_to_end.services import eventually

pytestmark = pytest.mark.stack

DAY = 24 * 3_600
CUSTOMERS = 4_000
SLOW = {"STRIPE_REQUESTS_PER_SECOND_MAX": "4"}
"""Slow enough to be caught at work, again and again."""
QUICK = {"STRIPE_REQUESTS_PER_SECOND_MAX": "20"}


@pytest.fixture
def customers(backfilling: Backfilling) -> list[str]:
    """Half of them made in one minute, as an import does."""
    simulator = backfilling.simulator
    crowd = simulator.make(
        "customer", count=CUSTOMERS // 2, created=1_700_000_000, over_seconds=60, events=False
    )
    return crowd + simulator.make(
        "customer",
        count=CUSTOMERS // 2,
        created=1_710_000_000,
        over_seconds=300 * DAY,
        events=False,
    )


def await_cursor(backfilling: Backfilling, running: Running) -> None:
    """Wait until the run has stored where it stands."""
    before = backfilling.cursors()
    eventually(
        lambda: not running.goes_on or backfilling.cursors() != before,
        seconds_max=60,
        what="a cursor is stored",
    )


def test_a_backfill_killed_ten_times_ends_complete(
    backfilling: Backfilling, customers: list[str]
) -> None:
    for number in range(10):
        run = backfilling.start("customer", **SLOW)
        if number % 2:
            await_cursor(backfilling, run)
        backfilling.await_requests(run, 2)
        assert run.goes_on
        run.kill()
    before = len(backfilling.keys())

    backfilling.run("customer")

    keys = backfilling.keys()
    assert set(customers) <= set(keys)
    # It went on where it stood: what the last run read is not the whole.
    assert len(keys) - before < CUSTOMERS


def test_a_backfill_that_is_stopped_says_how_to_go_on_and_goes_on(
    backfilling: Backfilling, customers: list[str]
) -> None:
    run = backfilling.start("customer", **QUICK)
    backfilling.await_requests(run, 5)
    run.interrupt()
    stopped = run.end()
    before = len(backfilling.keys())

    backfilling.run("customer")

    assert stopped.code == ExitCode.UNFINISHED
    assert "the same command goes on" in stopped.said
    assert before > 0
    assert sorted(backfilling.keys()) == sorted(customers)


def test_a_finished_backfill_that_is_run_again_begins_anew(backfilling: Backfilling) -> None:
    made = backfilling.simulator.make("coupon", count=3)

    backfilling.run("coupon")
    backfilling.run("coupon")

    assert sorted(backfilling.keys()) == sorted(made * 2)


def test_two_backfills_at_once_end_complete(
    backfilling: Backfilling, customers: list[str]
) -> None:
    first = backfilling.start("customer", **QUICK)
    await_cursor(backfilling, first)
    second = backfilling.start("customer", **QUICK)
    await_cursor(backfilling, second)
    first.kill()

    ended = second.end()

    assert ended.code == 0, ended.said
    assert set(customers) <= set(backfilling.keys())


def test_a_storm_of_429_ends_with_everything_there(
    backfilling: Backfilling, customers: list[str]
) -> None:
    limit = 20
    backfilling.simulator.put_limits(requests_per_second=limit)

    ended = backfilling.start("customer", STRIPE_REQUESTS_PER_SECOND_MAX="100").end()

    assert ended.code == 0, ended.said
    assert sorted(backfilling.keys()) == sorted(customers)
    assert backfilling.simulator.requests_refused() > 0


def test_errors_of_stripe_are_asked_again_until_everything_is_there(
    backfilling: Backfilling, customers: list[str]
) -> None:
    faults = tuple(
        ResponseFault(kind=kind, rate=0.1, seconds=0.0)
        for kind in (ResponseFaultKind.SERVER_ERROR, ResponseFaultKind.CUT)
    )
    backfilling.simulator.put_faults(FaultPlan(seed=1, responses=faults))

    backfilling.run("customer")

    assert sorted(backfilling.keys()) == sorted(customers)
