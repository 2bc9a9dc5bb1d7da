"""What no event tells is no drift; whatever else differs in the same type is."""

from typing import Any

import pytest

from producer.reconcile_groups import reconcilable
from producer.reconcile_report import exit_code
from producer.untold import ANY_CHANGE, EVERYTHING, NOTHING, RULES, untold_of
from producer.verdict import Verdict
from runtime.errors import ExitCode
from runtime.metrics import RECONCILE_DRIFT, RECONCILE_FOUND, Meters
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from tests.reconcile.published import Published
from tests.reconcile.test_reconciling import Shown, found, shop

SILENT_BESIDE_THE_CATALOGUE = {"customer"}
"""Types of which the catalogue says that events tell them, but for a counter."""


def test_every_type_that_events_tell_in_part_says_which_part() -> None:
    ways = load_ways()
    in_part = {
        name
        for name in reconcilable(ways, ways)
        if ways[name].untold and ways[name].untold != ANY_CHANGE
    }
    assert set(RULES) == in_part | SILENT_BESIDE_THE_CATALOGUE


def test_every_column_that_is_named_exists() -> None:
    catalogue = load_catalogue()
    for name, rule in RULES.items():
        columns = {column.name for column in catalogue.get(name).columns}
        named = rule.untold.columns | rule.untold.told
        named |= {one for one in (rule.with_column, rule.without_column) if one}
        assert named <= columns, name


@pytest.mark.parametrize(
    ("object_name", "before", "now", "verdict", "code"),
    [
        (
            "payment_intent",
            {"status": "processing", "description": "a"},
            {"status": "succeeded", "description": "a"},
            Verdict.REPAIRED,
            ExitCode.DIFFERENCE_FOUND,
        ),
        (
            "payment_intent",
            {"status": "processing", "description": "a"},
            {"status": "processing", "description": "b"},
            Verdict.REFRESHED,
            ExitCode.OK,
        ),
        (
            "payment_intent",
            {"status": "processing", "description": "a"},
            {"status": "succeeded", "description": "b"},
            Verdict.REPAIRED,
            ExitCode.DIFFERENCE_FOUND,
        ),
        ("coupon", {"times_redeemed": 1}, {"times_redeemed": 2}, Verdict.REFRESHED, ExitCode.OK),
        ("coupon", {"name": "a"}, {"name": "b"}, Verdict.REPAIRED, ExitCode.DIFFERENCE_FOUND),
        ("shipping_rate", {"active": True}, {"active": False}, Verdict.REFRESHED, ExitCode.OK),
        ("invoice_payment", {"status": "open"}, {"status": "canceled"}, Verdict.REFRESHED, 0),
        (
            "invoice_payment",
            {"status": "open"},
            {"status": "paid", "amount_paid": 100},
            Verdict.REPAIRED,
            ExitCode.DIFFERENCE_FOUND,
        ),
    ],
)
def test_what_differs_is_a_missed_change_only_if_an_event_tells_one_of_its_columns(
    object_name: str,
    before: dict[str, Any],
    now: dict[str, Any],
    verdict: Verdict,
    code: int,
) -> None:
    published = Published(object_name)
    published.publish(second=1, id="one", **before)
    shown = Shown(published=published)
    shown.shows({"id": "one", **now})

    meters = Meters()
    tally = shown.run(meters=meters)

    assert found(tally) == {verdict: 1}
    assert exit_code([tally]) == code
    # The report names what differs in any case, the metric for alerts what was missed.
    assert set(tally.drift) == {name for name in now if now[name] != before.get(name)}
    assert set(tally.missed) == (set(tally.drift) if code else set())
    for column in tally.drift:
        missed = meters.value(RECONCILE_DRIFT, object=object_name, column=column)
        assert missed == (1 if code else 0)
    assert [key for key, _ in shown.put_records] == ["one"]


def test_a_lost_delete_is_told_where_events_tell_deletes() -> None:
    coupons = shop("coupon", "SPRING")
    meters = Meters()
    tally = coupons.run(meters=meters)
    assert found(tally) == {Verdict.DELETED: 1}
    assert exit_code([tally]) is ExitCode.DIFFERENCE_FOUND
    assert meters.value(RECONCILE_FOUND, object="coupon", verdict="deleted", told="yes") == 1


def test_what_comes_or_goes_without_an_event_is_published_and_counts_for_no_alert() -> None:
    rates = shop("terminal.reader", "tmr_gone")
    rates.shows({"id": "tmr_new"})
    meters = Meters()
    tally = rates.run(meters=meters)
    assert found(tally) == {Verdict.CREATED: 1, Verdict.DELETED: 1}
    assert exit_code([tally]) is ExitCode.OK
    assert "no event tells: that it is registered" in tally.said
    for verdict in ("created", "deleted"):
        named = {"object": "terminal.reader", "verdict": verdict}
        assert meters.value(RECONCILE_FOUND, **named, told="yes") == 0
        assert meters.value(RECONCILE_FOUND, **named, told="no") == 1


@pytest.mark.parametrize(
    ("object_name", "record", "account_id", "is_silent"),
    [
        # Events of a connected account's things name the account: they tell of other records.
        ("bank_account", {"account_id": "acct_1"}, "", True),
        ("bank_account", {"customer_id": "cus_1"}, "", False),
        ("bank_account", {"account_id": "acct_1"}, "acct_1", False),
        ("person", {"account_id": "acct_1"}, "", True),
        ("person", {"account_id": "acct_1"}, "acct_1", False),
        ("tax_id", {}, "", True),
        ("tax_id", {"customer_id": "cus_1"}, "", False),
        ("balance_transaction", {}, "acct_1", True),
    ],
)
def test_whose_it_is_may_decide_what_is_told(
    object_name: str, record: dict[str, Any], account_id: str, is_silent: bool
) -> None:
    untold = untold_of(load_ways()[object_name], record, account_id)
    assert untold == (EVERYTHING if is_silent else NOTHING)
