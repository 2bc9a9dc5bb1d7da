"""From the webhook to the row, through real processes, Kafka, registry and Postgres."""

import os
import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually
from tests.end_to_end.stripe_events import FIRST_SECOND, Told, history, subscription_event
from tests.end_to_end.topic_reader import assert_strictly_increasing

pytestmark = pytest.mark.stack

EXAMPLES = int(os.environ.get("STRIPELINE_TEST_EXAMPLES", "12"))


def test_a_created_subscription_becomes_a_row_that_the_application_can_join(
    shared_installation: Installation,
) -> None:
    shared_installation.sender().deliver(
        subscription_event(
            "sub_1", version=0, second=FIRST_SECOND, kind="created", metadata={"platform": "ios"}
        )
    )
    query = """
        select subs.metadata ->> 'platform' as platform, orgs.stripe_id as customer_id,
               subs.status as subscription_status, subs.trial_ends = subs.trial_end as same_end
        from (values (1, 'cus_1')) as orgs (id, stripe_id)
        left join stripe.subscription as subs on orgs.stripe_id = subs.customer_id
        where orgs.id = 1
    """
    expected = {
        "platform": "ios",
        "customer_id": "cus_1",
        "subscription_status": "trialing",
        "same_end": True,
    }
    eventually(
        lambda: shared_installation.rows(query) == [expected],
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the trial query shows the subscription",
    )


def test_any_permutation_and_duplication_of_an_objects_events_ends_in_the_same_record_and_row(
    shared_installation: Installation,
) -> None:
    sender = shared_installation.sender()
    expected: dict[str, int] = {}
    drawn = st.integers(min_value=1, max_value=7).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.integers(min_value=1, max_value=2),
            st.permutations(list(range(count)) + list(range(count // 2))),
        )
    )

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    @given(drawn)
    def deliver(life: tuple[int, int, list[int]]) -> None:
        versions, per_second, order = life
        object_id = f"sub_p{len(expected)}"
        told = history(object_id, versions=versions, per_second=per_second)
        for index in order:
            sender.deliver(told[index])
        expected[object_id] = versions - 1

    deliver()
    shared_installation.await_versions(expected)
    records = shared_installation.published("subscription", expected)
    assert_strictly_increasing(records)
    last = {record.key: int(_version(record.value)) for record in records}
    assert last == expected


def test_two_events_of_one_second_both_reach_the_topic_in_their_order(
    shared_installation: Installation,
) -> None:
    sender = shared_installation.sender()
    told = history("sub_two", versions=3, per_second=3)
    for event in told:
        sender.deliver(event)
    shared_installation.await_versions({"sub_two": 2})
    records = shared_installation.published("subscription", {"sub_two"})
    assert [_version(record.value) for record in records] == ["0", "1", "2"]
    assert_strictly_increasing(records)


def test_a_stock_avro_consumer_reads_every_field_of_a_subscription(
    shared_installation: Installation,
) -> None:
    told = history("sub_stock", versions=1)[0]
    shared_installation.sender().deliver(told)
    shared_installation.await_versions({"sub_stock": 0})
    (record,) = shared_installation.published("subscription", {"sub_stock"})
    assert record.key == "sub_stock"
    assert record.timestamp_milliseconds == told.second * 1_000
    assert record.event_at.timestamp() == told.second
    assert record.value["customer_id"] == "cus_stock"
    assert record.value["status"] == "trialing"
    assert record.value["trial_end"].timestamp() == told.second + 14 * 86_400
    assert record.value["_event_id"] == told.event_id
    assert record.value["_operation"] == "created"
    assert record.value["_source"] == "webhook"
    assert record.value["default_source_id"] is None


def test_an_unknown_object_type_reaches_its_generic_table(
    shared_installation: Installation,
) -> None:
    unknown = Told(
        event_id="evt_unknown",
        object_id="wid_1",
        second=FIRST_SECOND,
        version=0,
        body=(
            b'{"id": "evt_unknown", "object": "event", "created": 1790000000, "livemode": false,'
            b' "type": "acme.widget.created", "api_version": "2026-10-28.endive", "data":'
            b' {"object": {"id": "wid_1", "object": "acme.widget", "colour": "red"}}}'
        ),
    )
    shared_installation.sender().deliver(unknown)
    eventually(
        lambda: (
            shared_installation.rows("select id, extra from stripe.acme_widget")
            == [{"id": "wid_1", "extra": {"colour": "red"}}]
        ),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the unknown object has its row",
    )


def test_an_enum_value_and_a_field_never_seen_before_are_kept(
    shared_installation: Installation,
) -> None:
    shared_installation.sender().deliver(
        subscription_event(
            "sub_new",
            version=0,
            second=FIRST_SECOND,
            kind="created",
            status="hibernating",
            moon_phase={"name": "full", "shown": [1, 2]},
        )
    )
    expected = [
        {"status": "hibernating", "extra": {"moon_phase": {"name": "full", "shown": [1, 2]}}}
    ]
    eventually(
        lambda: (
            shared_installation.rows(
                "select status, extra from stripe.subscription where id = 'sub_new'"
            )
            == expected
        ),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the new value and field are in the row",
    )


def test_nothing_revives_a_deleted_customer(shared_installation: Installation) -> None:
    sender = shared_installation.sender()
    for kind, second in (("created", 0), ("deleted", 2), ("updated", 1), ("updated", 5)):
        sender.deliver(_customer_event(kind, second))
    sender.deliver(history("sub_after", versions=1)[0])
    shared_installation.await_versions({"sub_after": 0})
    eventually(
        lambda: (
            [
                row["gone"]
                for row in shared_installation.rows(
                    "select _deleted_at is not null as gone from stripe.customer"
                )
            ]
            == [True]
        ),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the customer is deleted",
    )
    shared_installation.await_relayed()
    records = shared_installation.published("customer", {"cus_gone"})
    operations = [record.value["_operation"] for record in records]
    assert operations.index("deleted") == len(operations) - 1


def _customer_event(kind: str, second: int) -> Told:
    name = random.Random(second).choice(["Ada", "Grace"])
    body = (
        f'{{"id": "evt_{kind}_{second}", "object": "event", "created": {FIRST_SECOND + second},'
        f' "livemode": false, "type": "customer.{kind}", "api_version": "2026-10-28.endive",'
        f' "data": {{"object": {{"id": "cus_gone", "object": "customer", "name": "{name}"}}}}}}'
    )
    return Told(
        event_id=f"evt_{kind}_{second}",
        object_id="cus_gone",
        second=FIRST_SECOND + second,
        version=0,
        body=body.encode(),
    )


def _version(value: dict[str, object]) -> str:
    metadata = value["metadata"]
    assert isinstance(metadata, str)
    return metadata.split('"version":"')[1].rstrip('"}')
