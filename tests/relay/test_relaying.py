"""The relay on real Kafka and a real registry: what a subscriber reads."""

import random

import pytest

from schemas.inbox import Envelope, Evidence, Kind, Source
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.relay.dead_letters import read_dead_letters
from tests.relay.inbox_writer import Sent, event, snapshot
from tests.relay.installation import Installation, Relayed

pytestmark = pytest.mark.stack

CREATED = "customer.subscription.created"
CANCELED = "customer.subscription.deleted"
DROPPED = "stripeline_relay_dropped_total"
DEAD = "stripeline_dead_letters_total"


def history(object_id: str) -> list[Sent]:
    """A subscription's life, two events in its third second."""
    states = ["trialing", "active", "past_due", "unpaid", "canceled"]
    seconds = [0, 1, 2, 2, 5]
    kinds = {0: CREATED, 4: CANCELED}
    return [
        event(
            f"evt_{object_id}_{number}",
            object_id,
            second=second,
            kind=kinds.get(number, "customer.subscription.updated"),
            previous=None if number in kinds else {"status": states[number - 1]},
            status=state,
        )
        for number, (second, state) in enumerate(zip(seconds, states, strict=True))
    ]


def coupon(object_id: str, *, second: int, kind: str, name: str) -> Sent:
    """A coupon's event; merchants choose its id, and may use it again."""
    event_id = f"evt_{object_id}_{kind}_{second}"
    return event(event_id, object_id, second=second, kind=kind, object_name="coupon", name=name)


def two_of_one_second(object_id: str) -> tuple[Sent, Sent]:
    """Two events whose bodies tell which of them is the later."""
    first = event(
        f"evt_{object_id}_1",
        object_id,
        second=1,
        previous={"status": "a"},
        status="b",
        cancel_at=1,
    )
    second = event(
        f"evt_{object_id}_2",
        object_id,
        second=1,
        previous={"cancel_at": 1},
        status="b",
        cancel_at=2,
    )
    return first, second


def test_any_permutation_and_duplication_of_an_objects_events_ends_in_the_same_record(
    relayed: Relayed,
) -> None:
    shuffle = random.Random(7)
    ids = {f"sub_any_{number}" for number in range(40)}
    for object_id in sorted(ids):
        told = history(object_id) + shuffle.sample(history(object_id), 3)
        shuffle.shuffle(told)
        relayed.installation.inbox.send(*told)
    relayed.installation.await_relayed()
    last = {key: value for key, value in relayed.installation.last().items() if key in ids}
    assert set(last) == ids
    ends = {
        (value["status"], value["_event_id"][-1], value["_event_at"]) for value in last.values()
    }
    assert [end[:2] for end in ends] == [("canceled", "4")]


def test_the_topic_read_by_a_plain_consumer_strictly_increases_for_each_key(
    relayed: Relayed,
) -> None:
    told = [sent for number in range(30) for sent in history(f"sub_plain_{number}")]
    random.Random(11).shuffle(told)
    relayed.send(*told)
    records = relayed.installation.read()
    assert len(records) >= 30
    assert_strictly_increasing(records)


def test_a_late_event_never_overwrites_a_newer_record(relayed: Relayed, object_id: str) -> None:
    relayed.send(event(f"evt_{object_id}_2", object_id, second=2, status="newer"))
    relayed.send(event(f"evt_{object_id}_1", object_id, second=1, status="late"))
    assert [record["status"] for record in relayed.records(object_id)] == ["newer"]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("turned", [True, False])
def test_two_events_of_one_second_both_count_in_the_right_order(
    relayed: Relayed, object_id: str, together: bool, turned: bool
) -> None:
    first, second = two_of_one_second(object_id)
    told = [second, first] if turned else [first, second]
    if together:
        relayed.send(*told)
    else:
        for one in told:
            relayed.send(one)
    read = [record["_event_id"][-1] for record in relayed.records(object_id)]
    # The one that came late and belongs before is held by the one that is there.
    assert read == (["2"] if turned and not together else ["1", "2"])


def test_created_comes_first_and_deleted_last_within_a_second(
    relayed: Relayed, object_id: str
) -> None:
    for kind in ("coupon.deleted", "coupon.created", "coupon.updated"):
        relayed.send(coupon(object_id, second=1, kind=kind, name="n"))
    read = [record["_operation"] for record in relayed.records(object_id, "coupon")]
    assert read == ["deleted"]


def test_nothing_revives_a_deleted_object(relayed: Relayed, object_id: str) -> None:
    relayed.send(
        coupon(object_id, second=1, kind="coupon.created", name="n"),
        coupon(object_id, second=5, kind="coupon.deleted", name="n"),
        coupon(object_id, second=4, kind="coupon.updated", name="m"),
        coupon(object_id, second=6, kind="coupon.updated", name="o"),
        coupon(object_id, second=3, kind="coupon.created", name="p"),
        snapshot(object_id, second=9, object_name="coupon", name="q"),
        snapshot(object_id, second=5, evidence=Evidence.RETRIEVE, object_name="coupon", name="r"),
    )
    last = relayed.records(object_id, "coupon")[-1]
    assert (last["_operation"], last["name"]) == ("deleted", "n")


@pytest.mark.parametrize("proof", ["created", "retrieved"])
def test_a_chosen_id_that_is_made_again_lives_again(
    relayed: Relayed, object_id: str, proof: str
) -> None:
    again = {
        "created": coupon(object_id, second=7, kind="coupon.created", name="new"),
        "retrieved": snapshot(
            object_id, second=7, evidence=Evidence.RETRIEVE, object_name="coupon", name="new"
        ),
    }
    relayed.send(coupon(object_id, second=5, kind="coupon.deleted", name="n"), again[proof])
    assert relayed.records(object_id, "coupon")[-1]["name"] == "new"


def test_an_update_that_arrives_before_its_created_event_still_ends_right(
    relayed: Relayed, object_id: str
) -> None:
    created, updated, *_ = history(object_id)
    relayed.send(updated)
    relayed.send(created)
    assert [record["status"] for record in relayed.records(object_id)] == ["active"]


def test_a_canceled_subscription_is_not_a_deleted_one(relayed: Relayed, object_id: str) -> None:
    relayed.send(history(object_id)[-1])
    assert relayed.records(object_id)[-1]["_operation"] == "updated"


def test_a_snapshot_of_what_was_published_publishes_nothing_however_it_is_written(
    relayed: Relayed, object_id: str
) -> None:
    told = event(
        f"evt_{object_id}", object_id, second=1, status="a", metadata={"x": "1", "y": "2"}
    )
    read = snapshot(object_id, second=9, metadata={"y": "2", "x": "1"}, status="a")
    with relayed.counting(DROPPED, by=1):
        relayed.send(told, read)
    assert len(relayed.records(object_id)) == 1


def test_a_record_that_cannot_be_read_goes_to_the_dead_letters_and_blocks_nothing(
    relayed: Relayed, object_id: str
) -> None:
    headers = Envelope(kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1).headers()
    inbox = relayed.installation.inbox
    wrong_key = event("evt_1", "sub_other", second=1, status="a")
    with relayed.counting(DEAD, by=3):
        inbox.send_raw(object_id, b"{not json", headers, partition=0)
        inbox.send_raw(object_id, b"{}", [("other", b"header")], partition=0)
        inbox.send_raw(object_id, wrong_key.value, headers, partition=0)
        relayed.send(event(f"evt_{object_id}", object_id, second=1, status="fine"))
    letters = read_dead_letters(relayed.installation)
    assert sorted(letter.reason for letter, _ in letters) == [
        "bad_envelope",
        "bad_json",
        "bad_key",
    ]
    assert {value for _, value in letters} == {b"{not json", b"{}", wrong_key.value}
    assert [record["status"] for record in relayed.records(object_id)] == ["fine"]


def test_an_object_type_that_nobody_knows_flows_to_a_topic_of_its_own(relayed: Relayed) -> None:
    relayed.send(
        event("evt_1", "new_1", second=1, kind="novelty.made", object_name="novelty", size=3)
    )
    assert [record["extra"] for record in relayed.records("new_1", "novelty")] == ['{"size":3}']


def test_an_upcoming_invoice_is_counted_and_passed_by(relayed: Relayed) -> None:
    upcoming = event("evt_1", "", second=1, kind="invoice.upcoming", object_name="invoice")
    inbox = relayed.installation.inbox
    with relayed.counting(DROPPED, by=1), relayed.counting(DEAD, by=0):
        inbox.send_raw("evt_1", upcoming.value, upcoming.envelope.headers())
        relayed.installation.await_relayed()


def test_two_connected_accounts_with_one_id_do_not_meet(relayed: Relayed, object_id: str) -> None:
    relayed.send(
        event("evt_1", object_id, second=1, account="acct_1", status="a"),
        event("evt_2", object_id, second=2, account="acct_2", status="b"),
    )
    for account, status in (("acct_1", "a"), ("acct_2", "b")):
        (record,) = relayed.records(f"{account}/{object_id}")
        assert (record["_account_id"], record["status"]) == (account, status)


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


def test_after_a_restart_bodies_of_before_are_at_hand(installation: Installation) -> None:
    first, second = two_of_one_second("sub_tie")
    with installation.relaying():
        installation.inbox.send(second, event("evt_1", "sub_gone", second=1, status="a"))
        installation.await_relayed()
    with installation.relaying():
        # One is compared with what the inbox has, the other shows what the topic has.
        installation.inbox.send(first, snapshot("sub_gone", second=9, kind=Kind.GONE))
        installation.await_relayed()
    ties = [record for record in installation.read() if record.key == "sub_tie"]
    assert [record.value["_event_id"][-1] for record in ties] == ["2"]
    gone = installation.last()["sub_gone"]
    assert (gone["_operation"], gone["status"]) == ("deleted", "a")
