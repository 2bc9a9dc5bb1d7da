"""Backfill and polling together leave no gap, with all webhooks lost; and a gap is made up for."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.poll_cursor import RETENTION_SECONDS
from runtime.errors import ExitCode
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from simulator.simulation import Options
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX
from tests.end_to_end.services import eventually
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.infrastructure import Infrastructure
from tests.poller.conftest import Polled, polled_installation
from tests.simulator.shop import DAY_SECONDS

pytestmark = pytest.mark.stack

DAYS_BACK = 60
GONE = "gone"
POLL_OVERLAP_SECONDS = 600


@pytest.fixture
def polled(stack: Infrastructure, tmp_path: Path) -> Iterator[Polled]:
    """An installation of `DAYS_BACK` ago; nothing has polled yet."""
    options = Options(start_seconds=int(time.time()) - DAYS_BACK * DAY_SECONDS)
    with polled_installation(stack, folder=tmp_path, options=options) as made:
        yield made


def _names(polled: Polled) -> dict[str, str]:
    rows = polled.installation.rows("select id, name, _deleted_at from stripe.customer")
    return {row["id"]: GONE if row["_deleted_at"] else row["name"] for row in rows}


def _await_names(polled: Polled, expected: dict[str, str]) -> None:
    eventually(
        lambda: _names(polled) == expected,
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"the rows say {expected}",
        more=lambda: f"{_names(polled)}\n{polled.poller.log()}",
    )


def _assert_in_order(polled: Polled, customers: dict[str, str]) -> None:
    assert_strictly_increasing(polled.installation.published("customer", customers))


def test_changes_before_during_and_after_the_backfill_all_arrive(polled: Polled) -> None:
    customers = polled.client.v1.customers
    untouched, changed, deleted, changed_after = [
        customers.create({"name": "made before"}).id for _customer in range(4)
    ]
    # No list of events shows these any more.
    polled.simulator.advance(seconds=31 * DAY_SECONDS)
    backfill = polled.installation.service(
        "producer", "backfill", "customer", "product", name="backfill"
    )
    # It has read every customer, and cannot get through with the products.
    blocked = ResponseFault(kind=ResponseFaultKind.SERVER_ERROR, path="/v1/products")
    polled.simulator.put_faults(FaultPlan(responses=(blocked,)))
    backfill.launch()
    before = dict.fromkeys((untouched, changed, deleted, changed_after), "made before")
    _await_names(polled, before)

    customers.update(changed, {"name": "changed during"})
    customers.delete(deleted)
    during = customers.create({"name": "made during"}).id
    polled.simulator.put_faults(FaultPlan())
    assert backfill.wait() == 0, backfill.log()
    customers.update(changed_after, {"name": "changed after"})
    after = customers.create({"name": "made after"}).id
    # The poller is started as late as this, and for the first time.
    polled.simulator.advance(seconds=3 * DAY_SECONDS)
    polled.poller.start()

    expected = {
        untouched: "made before",
        changed: "changed during",
        deleted: GONE,
        during: "made during",
        changed_after: "changed after",
        after: "made after",
    }
    _await_names(polled, expected)
    _assert_in_order(polled, expected)


def test_a_gap_of_more_than_30_days_is_told_and_made_up_for_by_a_backfill(
    polled: Polled,
) -> None:
    customers = polled.client.v1.customers
    polled.poller.start()
    changed, deleted = [customers.create({"name": "polled"}).id for _customer in range(2)]
    _await_names(polled, {changed: "polled", deleted: "polled"})
    polled.poller.stop()
    customers.update(changed, {"name": "changed in the gap"})
    made = customers.create({"name": "made in the gap"}).id
    polled.simulator.advance(seconds=20 * DAY_SECONDS)
    customers.delete(deleted)
    polled.simulator.advance(seconds=15 * DAY_SECONDS)

    polled.poller.launch()

    expected = {changed: "changed in the gap", deleted: GONE, made: "made in the gap"}
    _await_names(polled, expected)
    polled.poller.await_ready()
    assert "events older than 30 days are gone" in polled.poller.log()
    assert polled.poller.metric("stripeline_poll_backfill_due") == 0
    _assert_in_order(polled, expected)


def test_a_change_older_than_the_pollers_window_is_healed_by_a_reconcile(polled: Polled) -> None:
    customers = polled.client.v1.customers
    backfill = polled.installation.service("producer", "backfill", "customer", name="backfill")
    changed = customers.create({"name": "before"}).id
    polled.simulator.advance(seconds=2)
    backfill.launch()
    assert backfill.wait() == ExitCode.OK, backfill.log()
    _await_names(polled, {changed: "before"})
    # Stripe made an event, whose webhook was lost, and lists it no more.
    customers.update(changed, {"name": "after"})
    polled.simulator.advance(seconds=RETENTION_SECONDS - POLL_OVERLAP_SECONDS)
    assert [event.type for event in polled.client.v1.events.list().data][:1] == [
        "customer.updated"
    ]
    polled.simulator.advance(seconds=2 * POLL_OVERLAP_SECONDS)
    assert polled.client.v1.events.list().data == []
    reconcile = polled.installation.service(
        "producer", "reconcile", "customer", name="reconcile", RECONCILE_SETTLE_SECONDS="0"
    )
    reconcile.launch()

    assert reconcile.wait() == ExitCode.DIFFERENCE_FOUND, reconcile.log()

    _await_names(polled, {changed: "after"})
    _assert_in_order(polled, {changed: "after"})
