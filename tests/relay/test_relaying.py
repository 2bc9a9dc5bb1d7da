"""The relay on real Kafka and a real registry: what a subscriber reads."""

import random

import pytest

from schemas.inbox import Envelope, Evidence, Kind, Source
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.relay.dead_letters import read_dead_letters
from tests.relay.inbox_writer import Sent, event, snapshot
from tests.relay.installation import Installation

pytestmark = pytest.mark.stack

CREATED = "customer.subscription.created"
CANCELED = "customer.subscription.deleted"


def history(object_id: str) -> list[Sent]:
    """A subscription's life, two events in its third second."""
    return [
        event(f"evt_{object_id}_0", object_id, second=0, kind=CREATED, status="trialing"),
        event(
            f"evt_{object_id}_1",
            object_id,
            second=1,
            previous={"status": "trialing"},
            status="active",
        ),
        event(
            f"evt_{object_id}_2",
            object_id,
            second=2,
            previous={"status": "active"},
            status="past_due",
        ),
        event(
            f"evt_{object_id}_3",
            object_id,
            second=2,
            previous={"status": "past_due"},
            status="unpaid",
        ),
        event(f"evt_{object_id}_4", object_id, second=5, kind=CANCELED, status="canceled"),
    ]


def test_any_permutation_and_duplication_of_an_objects_events_ends_in_the_same_record(
    installation: Installation,
) -> None:
    shuffle = random.Random(7)
    ids = [f"sub_{number}" for number in range(40)]
    with installation.relaying():
        for object_id in ids:
            told = history(object_id) + shuffle.sample(history(object_id), 3)
            shuffle.shuffle(told)
            installation.inbox.send(*told)
        installation.await_relayed()
    last = installation.last()
    assert set(last) == set(ids)
    ends = {
        (value["status"], value["_event_id"][-1], value["_event_at"]) for value in last.values()
    }
    assert len(ends) == 1
    assert next(iter(ends))[:2] == ("canceled", "4")
    assert_strictly_increasing(installation.read())


def test_a_late_event_never_overwrites_a_newer_record(installation: Installation) -> None:
    newer = event("evt_2", "sub_1", second=2, previous={"status": "a"}, status="b")
    with installation.relaying():
        installation.inbox.send(newer)
        installation.await_relayed()
        installation.inbox.send(event("evt_1", "sub_1", second=1, status="a"))
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["b"]


def test_a_stale_record_never_reaches_the_topic_where_compaction_would_keep_it(
    installation: Installation,
) -> None:
    with installation.relaying():
        installation.inbox.send(event("evt_9", "sub_1", second=9, status="newest"))
        installation.await_relayed()
    # Another relay, which has only the topic to know from.
    with installation.relaying(RELAY_MEMORY_FOLDER=str(installation.folder / "empty")):
        installation.inbox.send(*history("sub_1"))
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["newest"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_two_events_of_one_second_both_count_in_the_right_order(
    installation: Installation, together: bool, turned: bool
) -> None:
    first = event("evt_1", "sub_1", second=1, previous={"status": "a"}, status="b", cancel_at=1)
    second = event("evt_2", "sub_1", second=1, previous={"cancel_at": 1}, status="b", cancel_at=2)
    told = [second, first] if turned else [first, second]
    with installation.relaying():
        if together:
            installation.inbox.send(*told)
            installation.await_relayed()
        else:
            for one in told:
                installation.inbox.send(one)
                installation.await_relayed()
    read = [record.value["_event_id"] for record in installation.read()]
    # The one that came late and belongs before is held by the one that is there.
    assert read == (["evt_2"] if turned and not together else ["evt_1", "evt_2"])


def test_created_comes_first_and_deleted_last_within_a_second(installation: Installation) -> None:
    installation = _coupons(installation)
    kinds = ["coupon.deleted", "coupon.created", "coupon.updated"]
    with installation.relaying():
        for number, kind in enumerate(kinds):
            sent = event(
                f"evt_{number}", "c_1", second=1, kind=kind, object_name="coupon", name="n"
            )
            installation.inbox.send(sent)
            installation.await_relayed()
    assert [record.value["_operation"] for record in installation.read("coupon")] == ["deleted"]


def test_two_events_of_one_second_are_compared_after_a_restart_too(
    installation: Installation,
) -> None:
    first = event("evt_1", "sub_1", second=1, previous={"status": "a"}, status="b", cancel_at=1)
    second = event("evt_2", "sub_1", second=1, previous={"cancel_at": 1}, status="b", cancel_at=2)
    with installation.relaying():
        installation.inbox.send(second)
        installation.await_relayed()
    # The body to compare with is read from the inbox again.
    with installation.relaying():
        installation.inbox.send(first)
        installation.await_relayed()
    assert [record.value["_event_id"] for record in installation.read()] == ["evt_2"]


def test_nothing_revives_a_deleted_object(installation: Installation) -> None:
    installation = _coupons(installation)
    with installation.relaying():
        installation.inbox.send(
            event("evt_1", "c_1", second=1, kind="coupon.created", object_name="coupon", name="n"),
            event("evt_5", "c_1", second=5, kind="coupon.deleted", object_name="coupon", name="n"),
            event("evt_4", "c_1", second=4, kind="coupon.updated", object_name="coupon", name="m"),
            event("evt_6", "c_1", second=6, kind="coupon.updated", object_name="coupon", name="o"),
            event("evt_3", "c_1", second=3, kind="coupon.created", object_name="coupon", name="p"),
            snapshot("c_1", second=9, object_name="coupon", name="q"),
            snapshot("c_1", second=5, evidence=Evidence.RETRIEVE, object_name="coupon", name="r"),
        )
        installation.await_relayed()
    records = [record.value for record in installation.read("coupon")]
    assert records[-1]["_operation"] == "deleted"
    assert records[-1]["name"] == "n"


@pytest.mark.parametrize(
    "proof",
    [
        event("evt_7", "c_1", second=7, kind="coupon.created", object_name="coupon", name="new"),
        snapshot("c_1", second=7, evidence=Evidence.RETRIEVE, object_name="coupon", name="new"),
    ],
    ids=["created", "retrieved"],
)
def test_a_chosen_id_that_is_made_again_lives_again(
    installation: Installation, proof: Sent
) -> None:
    installation = _coupons(installation)
    gone = event("evt_5", "c_1", second=5, kind="coupon.deleted", object_name="coupon", name="n")
    with installation.relaying():
        installation.inbox.send(gone, proof)
        installation.await_relayed()
    assert installation.last("coupon")["c_1"]["name"] == "new"


def test_an_update_that_arrives_before_its_created_event_still_ends_right(
    installation: Installation,
) -> None:
    created, updated, *_ = history("sub_1")
    with installation.relaying():
        for sent in (updated, created):
            installation.inbox.send(sent)
            installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["active"]


def test_a_canceled_subscription_is_not_a_deleted_one(installation: Installation) -> None:
    with installation.relaying():
        installation.inbox.send(history("sub_1")[-1])
        installation.await_relayed()
    assert installation.last()["sub_1"]["_operation"] == "updated"


def test_a_snapshot_of_what_was_published_publishes_nothing_however_it_is_written(
    installation: Installation,
) -> None:
    with installation.relaying() as relay:
        installation.inbox.send(
            event("evt_1", "sub_1", second=1, status="a", metadata={"x": "1", "y": "2"}),
            snapshot("sub_1", second=9, metadata={"y": "2", "x": "1"}, status="a"),
        )
        installation.await_relayed()
        assert relay.metric("stripeline_relay_dropped_total") == 1
    assert len(installation.read()) == 1


def test_what_stripe_no_longer_has_is_deleted_with_its_last_known_body(
    installation: Installation,
) -> None:
    with installation.relaying():
        installation.inbox.send(event("evt_1", "sub_1", second=1, status="a", metadata={"k": "v"}))
        installation.await_relayed()
    with installation.relaying():
        installation.inbox.send(snapshot("sub_1", second=9, kind=Kind.GONE))
        installation.await_relayed()
    last = installation.last()["sub_1"]
    assert (last["_operation"], last["status"], last["metadata"]) == ("deleted", "a", '{"k":"v"}')


def test_a_record_that_cannot_be_read_goes_to_the_dead_letters_and_blocks_nothing(
    installation: Installation,
) -> None:
    headers = Envelope(kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1).headers()
    with installation.relaying() as relay:
        installation.inbox.send_raw("sub_1", b"{not json", headers, partition=0)
        installation.inbox.send_raw("sub_1", b"{}", [("other", b"header")], partition=0)
        wrong_key = event("evt_1", "sub_1", second=1, status="a")
        installation.inbox.send_raw("sub_2", wrong_key.value, headers, partition=0)
        installation.inbox.send(event("evt_2", "sub_3", second=1, status="fine"))
        installation.await_relayed()
        assert relay.metric("stripeline_dead_letters_total") == 3
    letters = read_dead_letters(installation)
    assert sorted(letter.reason for letter, _ in letters) == [
        "bad_envelope",
        "bad_json",
        "bad_key",
    ]
    assert {value for _, value in letters} == {b"{not json", b"{}", wrong_key.value}
    assert {record.key for record in installation.read()} == {"sub_3"}


def test_an_object_type_that_nobody_knows_flows_to_a_topic_of_its_own(
    installation: Installation,
) -> None:
    sent = event("evt_1", "new_1", second=1, kind="novelty.made", object_name="novelty", size=3)
    with installation.relaying():
        installation.inbox.send(sent)
        installation.await_relayed()
    assert installation.last("novelty")["new_1"]["extra"] == '{"size":3}'


def test_an_upcoming_invoice_is_counted_and_passed_by(installation: Installation) -> None:
    upcoming = event("evt_1", "", second=1, kind="invoice.upcoming", object_name="invoice")
    headers = upcoming.envelope.headers()
    with installation.relaying() as relay:
        installation.inbox.send_raw("evt_1", upcoming.value, headers)
        installation.await_relayed()
        assert relay.metric("stripeline_relay_dropped_total") == 1
        assert relay.metric("stripeline_dead_letters_total") == 0


def test_two_connected_accounts_with_one_id_do_not_meet(installation: Installation) -> None:
    with installation.relaying():
        installation.inbox.send(
            event("evt_1", "sub_1", second=1, account="acct_1", status="a"),
            event("evt_2", "sub_1", second=2, account="acct_2", status="b"),
        )
        installation.await_relayed()
    last = installation.last()
    assert {key: value["_account_id"] for key, value in last.items()} == {
        "acct_1/sub_1": "acct_1",
        "acct_2/sub_1": "acct_2",
    }


def _coupons(installation: Installation) -> Installation:
    return Installation(
        infrastructure=installation.infrastructure,
        namespace=installation.namespace,
        folder=installation.folder,
        objects=("coupon",),
    )
