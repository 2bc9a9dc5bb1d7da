"""On a schedule: everything once a period, and what changes without events in between."""

from dataclasses import dataclass, field

import pytest

from producer.reconcile_groups import groups, often, reconcilable, require_reconcilable
from producer.reconcile_report import Tally
from producer.reconcile_turns import GLANCE_OVERLAP_SECONDS, GLANCE_SECONDS, Turns
from runtime.clock import MICROS_PER_SECOND
from runtime.errors import WrongSetting
from runtime.metrics import RECONCILE_SUCCEEDED_AT, Meters
from schemas.endpoints import load_ways

HOUR = 3_600


@dataclass(slots=True)
class MovedClock:
    """A clock that the test moves."""

    seconds: int = 1_790_000_000

    def utc_micros(self) -> int:
        return self.seconds * MICROS_PER_SECOND

    def monotonic_seconds(self) -> float:
        return float(self.seconds)


@dataclass(slots=True)
class Runs:
    """Notes what was run."""

    clock: MovedClock
    noted: list[str] = field(default_factory=list)
    failing: bool = False

    def once(self) -> list[Tally]:
        self.noted.append("everything")
        tally = Tally(object_name="customer")
        if self.failing:
            tally.failures["unreachable"] += 1
        return [tally]

    def glance(self, *, since: int) -> None:
        self.noted.append(f"glance {self.clock.seconds - since}")


def test_everything_once_a_day_and_what_no_event_tells_each_hour() -> None:
    runs = Runs(MovedClock())
    turns = Turns(runs, every_seconds=24 * HOUR, clock=runs.clock, meters=Meters())
    assert turns.pause_seconds == GLANCE_SECONDS
    for _hour in range(25):
        turns.work()
        runs.clock.seconds += HOUR
    glance = f"glance {HOUR + GLANCE_OVERLAP_SECONDS}"
    assert runs.noted == ["everything", *[glance] * 23, "everything"]


def test_an_hour_or_less_is_everything_each_time() -> None:
    runs = Runs(MovedClock())
    turns = Turns(runs, every_seconds=600, clock=runs.clock, meters=Meters())
    assert turns.pause_seconds == 600
    for _turn in range(3):
        turns.work()
        runs.clock.seconds += 600
    assert runs.noted == ["everything"] * 3


def test_a_run_that_could_not_read_everything_leaves_the_last_success() -> None:
    runs, meters = Runs(MovedClock()), Meters()
    turns = Turns(runs, every_seconds=600, clock=runs.clock, meters=meters)
    began = runs.clock.seconds
    runs.clock.seconds += 100
    runs.failing = True
    turns.work()
    assert meters.value(RECONCILE_SUCCEEDED_AT) == began
    runs.clock.seconds += 600
    runs.failing = False
    turns.work()
    assert meters.value(RECONCILE_SUCCEEDED_AT) == began + 700


def test_a_run_that_could_not_read_everything_is_made_again_after_an_hour() -> None:
    runs = Runs(MovedClock())
    turns = Turns(runs, every_seconds=24 * HOUR, clock=runs.clock, meters=Meters())
    runs.failing = True
    for _hour in range(3):
        turns.work()
        runs.clock.seconds += HOUR
    runs.failing = False
    for _hour in range(2):
        turns.work()
        runs.clock.seconds += HOUR
    assert [noted.partition(" ")[0] for noted in runs.noted] == [*["everything"] * 4, "glance"]


def test_types_that_are_read_through_one_another_are_one_group() -> None:
    ways = load_ways()
    chosen = ("invoice", "tax_id", "charge", "customer", "person", "bank_account")
    found = {frozenset(group) for group in groups(chosen, ways)}
    assert frozenset(("invoice",)) in found
    assert frozenset(("charge",)) in found
    assert any({"tax_id", "customer", "person", "bank_account"} <= group for group in found)
    assert sorted(name for group in found for name in group) == sorted(chosen)


def test_what_only_its_parent_shows_is_compared_with_it() -> None:
    ways = load_ways()
    assert reconcilable(("subscription", "subscription_item"), ways) == ("subscription",)
    with pytest.raises(WrongSetting, match="reconcile subscription"):
        require_reconcilable(("subscription_item",), ways)


def test_what_is_looked_at_often_costs_no_request_per_object() -> None:
    ways = load_ways()
    found = often(reconcilable(ways, ways), ways)
    assert {"balance", "balance_transaction"} <= set(found)
    assert not {"customer", "person", "card", "mandate"} & set(found)
