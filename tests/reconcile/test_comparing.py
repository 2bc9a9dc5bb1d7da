"""What is made of an object: published, listed, retrieved, in every order of events."""

from typing import Any

import pytest

from producer.comparison import Comparison, Finding
from producer.verdict import Verdict
from schemas.inbox import Evidence, Kind, Source
from schemas.meta import Operation
from tests.reconcile.published import FIRST_SECOND, Published

OTHER_VERSION = "2022-11-15"


def findings(comparison: Comparison) -> list[Finding]:
    """What comes out now, with all that was published by now."""
    comparison.read_topic()
    return list(comparison.judged())


def only(comparison: Comparison) -> Finding:
    (found,) = findings(comparison)
    return found


@pytest.fixture
def customers() -> Published:
    return Published("customer")


def test_what_stripe_shows_unchanged_is_not_kept(customers: Published) -> None:
    customers.publish(second=1, id="cus_1", name="a", metadata={"x": "1", "y": "2"})
    comparison = customers.comparison()
    shown = {"metadata": {"y": "2", "x": "1"}, "name": "a", "id": "cus_1"}
    comparison.take(customers.shown(shown, second=9))
    assert comparison.known.count_open() == 0
    assert comparison.tally.verdicts == {Verdict.UNCHANGED: 1, Verdict.REFUSED: 0}
    assert (comparison.tally.listed, comparison.tally.compared) == (1, 1)


def test_drift_names_the_columns_and_never_their_values(customers: Published) -> None:
    customers.publish(second=1, id="cus_1", name="Ada", email="a@example.com", balance=0)
    comparison = customers.comparison()
    shown = {"id": "cus_1", "name": "Bea", "email": "b@example.com", "balance": 0}
    comparison.take(customers.shown(shown, second=9))
    found = only(comparison)
    assert (found.verdict, found.drift) == (Verdict.REPAIRED, ("email", "name"))
    assert found.record is not None
    key, _value, envelope = found.record
    assert key == "cus_1"
    assert (envelope.kind, envelope.source) == (Kind.SNAPSHOT, Source.BACKFILL)
    assert (envelope.evidence, envelope.observed_second) == (Evidence.LIST, FIRST_SECOND + 9)


def test_what_was_never_published_is_created(customers: Published) -> None:
    comparison = customers.comparison()
    comparison.take(customers.shown({"id": "cus_1"}, second=9))
    assert only(comparison).verdict is Verdict.CREATED


def test_a_change_that_was_only_on_its_way_is_no_drift(customers: Published) -> None:
    customers.publish(second=1, id="cus_1", name="old")
    comparison = customers.comparison()
    comparison.take(customers.shown({"id": "cus_1", "name": "new"}, second=9))
    customers.publish(second=8, id="cus_1", name="new")
    found = only(comparison)
    assert (found.verdict, found.record) == (Verdict.UNCHANGED, None)


def test_a_change_after_the_listing_overtakes_it(customers: Published) -> None:
    customers.publish(second=1, id="cus_1", name="a")
    comparison = customers.comparison()
    comparison.take(customers.shown({"id": "cus_1", "name": "b"}, second=9))
    customers.publish(second=9, id="cus_1", name="c")
    found = only(comparison)
    assert (found.verdict, found.record) == (Verdict.OVERTAKEN, None)


def test_an_object_that_no_list_shows_is_asked_for_before_it_is_called_deleted(
    customers: Published,
) -> None:
    customers.publish(second=1, id="cus_1", name="a")
    customers.publish(second=1, id="cus_2", name="a")
    customers.publish(second=1, id="cus_3", name="a")
    comparison = customers.comparison()
    comparison.take(customers.shown({"id": "cus_1", "name": "a"}, second=9))
    assert comparison.known.open_unshown("", count_max=10) == 0
    assert findings(comparison) == []
    asked = {found.key: (found, fields["id"]) for found, fields in comparison.to_be_retrieved()}
    assert [fields for _, fields in asked.values()] == ["cus_2", "cus_3"]
    gone = customers.retrieved(second=10, gone=True, id="cus_2", deleted=True)
    comparison.take_retrieved(asked["cus_2"][0], gone)
    hidden = customers.retrieved(second=10, id="cus_3", name="a")
    comparison.take_retrieved(asked["cus_3"][0], hidden)
    deleted, unchanged = findings(comparison)
    assert (deleted.verdict, unchanged.verdict) == (Verdict.DELETED, Verdict.UNCHANGED)
    assert deleted.record is not None
    assert deleted.record[2].kind is Kind.GONE
    assert deleted.record[2].observed_second == FIRST_SECOND + 10


def test_an_object_that_was_deleted_while_the_lists_were_read_is_not_asked_for(
    customers: Published,
) -> None:
    customers.publish(second=1, id="cus_1", name="a")
    comparison = customers.comparison()
    comparison.known.open_unshown("", count_max=10)
    customers.publish(second=5, id="cus_1", name="a", operation=Operation.DELETED)
    comparison.read_topic()
    assert list(comparison.to_be_retrieved()) == []
    assert findings(comparison) == []


def test_an_object_that_is_deleted_here_and_listed_there_is_asked_for() -> None:
    coupons = Published("coupon")
    coupons.publish(second=1, id="SPRING", percent_off=10.0, operation=Operation.DELETED)
    comparison = coupons.comparison()
    comparison.take(coupons.shown({"id": "SPRING", "percent_off": 20.0}, second=9))
    ((found, fields),) = comparison.to_be_retrieved()
    assert fields["id"] == "SPRING"
    alive = coupons.retrieved(second=10, id="SPRING", percent_off=20.0)
    comparison.take_retrieved(found, alive)
    revived = only(comparison)
    assert revived.verdict is Verdict.CREATED
    assert revived.record is not None
    assert revived.record[2].evidence is Evidence.RETRIEVE


def test_objects_of_the_other_mode_are_passed_over(customers: Published) -> None:
    customers.publish(second=1, id="cus_1", livemode=True)
    comparison = customers.comparison()
    comparison.known.open_unshown("", count_max=10)
    comparison.read_topic()
    assert list(comparison.to_be_retrieved()) == []
    assert comparison.known.count_open() == 0


@pytest.mark.parametrize(
    ("version", "verdict"),
    [(OTHER_VERSION, Verdict.REFRESHED), (None, Verdict.REPAIRED)],
)
def test_what_only_looks_different_in_another_version_is_published_and_no_drift(
    customers: Published, version: str | None, verdict: Verdict
) -> None:
    settings = {"footer": None}
    customers.publish(second=1, id="cus_1", api_version=version, invoice_settings=settings)
    comparison = customers.comparison()
    shown = {"id": "cus_1", "invoice_settings": {"footer": None, "rendering_options": None}}
    comparison.take(customers.shown(shown, second=9))
    found = only(comparison)
    assert (found.verdict, found.drift) == (verdict, ("invoice_settings",))
    assert found.record is not None


@pytest.mark.parametrize(
    ("told", "shown", "verdict"),
    [
        # No longer told, and told since.
        ({"tax_percent": 19.0}, {}, Verdict.REFRESHED),
        ({}, {"test_clock": "clock_1"}, Verdict.REFRESHED),
        # Told in both versions, if in different places.
        ({"status": "active"}, {"status": "canceled"}, Verdict.REPAIRED),
        ({"billing": "send_invoice"}, {"collection_method": "send_invoice"}, Verdict.UNCHANGED),
        (
            {"billing": "send_invoice"},
            {"collection_method": "charge_automatically"},
            Verdict.REPAIRED,
        ),
    ],
)
def test_a_column_that_one_of_two_versions_lacks_is_no_drift(
    told: dict[str, Any], shown: dict[str, Any], verdict: Verdict
) -> None:
    subscriptions = Published("subscription")
    subscriptions.publish(second=1, id="sub_1", api_version="2019-02-19", **told)
    comparison = subscriptions.comparison()
    comparison.take(subscriptions.shown({"id": "sub_1", **shown}, second=9))
    assert [found.verdict for found in findings(comparison)] == (
        [] if verdict is Verdict.UNCHANGED else [verdict]
    )


@pytest.mark.parametrize(
    ("other", "verdict"), [({}, Verdict.REFRESHED), ({"name": "b"}, Verdict.REPAIRED)]
)
def test_a_counter_that_no_event_tells_is_published_and_no_drift(
    customers: Published, other: dict[str, Any], verdict: Verdict
) -> None:
    customers.publish(second=1, id="cus_1", next_invoice_sequence=1)
    comparison = customers.comparison()
    shown = {"id": "cus_1", "next_invoice_sequence": 2, **other}
    comparison.take(customers.shown(shown, second=9))
    found = only(comparison)
    assert found.verdict is verdict
    assert found.record is not None


@pytest.mark.parametrize(("other", "count"), [({}, 0), ({"status": "failed"}, 1)])
def test_a_link_that_stripe_makes_anew_is_no_difference(other: dict[str, Any], count: int) -> None:
    charges = Published("charge")
    charges.publish(second=1, id="ch_1", status="succeeded", receipt_url="https://one")
    comparison = charges.comparison()
    shown = {"id": "ch_1", "status": "succeeded", "receipt_url": "https://two", **other}
    comparison.take(charges.shown(shown, second=9))
    assert comparison.known.count_open() == count
    assert [found.drift for found in findings(comparison)] == [("status",)] * count


def test_a_record_of_an_older_schema_is_compared_in_the_shape_of_today() -> None:
    coupons = Published("coupon", without="times_redeemed")
    coupons.publish(second=1, id="SPRING", percent_off=10.0)
    comparison = coupons.comparison()
    comparison.take(coupons.shown({"id": "SPRING", "percent_off": 10.0}, second=9))
    assert comparison.known.count_open() == 0
    shown = {"id": "SPRING", "percent_off": 10.0, "times_redeemed": 3}
    comparison.take(coupons.shown(shown, second=9))
    assert only(comparison).drift == ("times_redeemed",)


def test_each_account_has_its_own_objects_of_one_id() -> None:
    coupons = Published("coupon")
    for account_id in ("", "acct_1", "acct_2"):
        coupons.publish(second=1, account_id=account_id, id="SPRING", percent_off=10.0)
    comparison = coupons.comparison("", "acct_1")
    shown = {"id": "SPRING", "percent_off": 10.0}
    comparison.take(coupons.shown(shown, second=9))
    other = {**shown, "percent_off": 20.0}
    comparison.take(coupons.shown(other, second=9, account_id="acct_1"))
    found = only(comparison)
    assert (found.account_id, found.verdict) == ("acct_1", Verdict.REPAIRED)
    assert found.record is not None
    assert (found.record[0], found.record[2].account_id) == ("acct_1/SPRING", "acct_1")
    assert comparison.known.count_alive("acct_2") == 0


def test_the_address_of_an_object_is_made_of_its_last_record() -> None:
    persons = Published("person")
    persons.publish(second=1, id="person_1", account="acct_9")
    comparison = persons.comparison()
    comparison.known.open_unshown("", count_max=10)
    comparison.read_topic()
    ((_, fields),) = comparison.to_be_retrieved()
    assert (fields["id"], fields["account"]) == ("person_1", "acct_9")


def test_more_unshown_objects_than_fit_a_run_are_counted(customers: Published) -> None:
    for number in range(5):
        customers.publish(second=1, id=f"cus_{number}")
    comparison = customers.comparison()
    assert comparison.known.open_unshown("", count_max=3) == 2
    assert comparison.known.count_open() == 3
