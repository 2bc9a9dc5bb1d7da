"""Children on real Kafka and a real registry: published with their parent, by one writer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from schemas.inbox import Kind, Source
from tests.end_to_end.services import eventually, running
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.relay.inbox_writer import Sent, event, snapshot
from tests.relay.installation import SETTLE_SECONDS_MAX, Installation, Relayed
from tests.relay.stripe_server import StripeServer, listed

pytestmark = pytest.mark.stack

OBJECTS = ("subscription", "subscription_item", "invoice", "line_item", "charge", "refund")
DROPPED = "stripeline_relay_dropped_total"
INCOMPLETE = "stripeline_relay_incomplete_total"


@pytest.fixture(scope="module")
def relayed(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relayed]:
    """One relay without an API key for all tests that need none."""
    with fresh_namespace(stack) as namespace:
        installation = Installation(
            infrastructure=stack,
            namespace=namespace,
            folder=tmp_path_factory.mktemp("relay"),
            objects=OBJECTS,
        )
        with installation.relaying() as relay:
            yield Relayed(installation=installation, relay=relay)


def item(item_id: str, quantity: int = 1) -> dict[str, Any]:
    return {"id": item_id, "object": "subscription_item", "quantity": quantity}


def subscription(
    object_id: str, second: int, *items: dict[str, Any], has_more: bool = False, **fields: Any
) -> Sent:
    """An event that shows a subscription with these items."""
    return event(
        f"evt_{object_id}_{second}",
        object_id,
        second=second,
        items=listed(list(items), has_more=has_more),
        **fields,
    )


def lines(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"il_{number:03}", "object": "line_item", "amount": number}
        for number in range(first, first + count)
    ]


def invoice(second: int, **fields: Any) -> Sent:
    """An event that shows an invoice of 250 lines with the first ten of them."""
    return event(
        f"evt_{second}",
        "in_1",
        second=second,
        kind="invoice.updated",
        object_name="invoice",
        lines=listed(lines(10), url="/v1/invoices/in_1/lines", has_more=True),
        **fields,
    )


def serve_invoice(server: StripeServer, *, second: int) -> None:
    """Show the invoice as Stripe does: ten lines in its body, and all of them in a list."""
    server.lists["/v1/invoices/in_1/lines"] = lines(250)
    body = listed(lines(10), url="/v1/invoices/in_1/lines", has_more=True)
    server.shows(second, id="in_1", object="invoice", lines=body)


def test_an_item_is_published_with_its_subscription(relayed: Relayed, object_id: str) -> None:
    child = f"si_{object_id}"
    relayed.send(subscription(object_id, 1, item(child, 3)))
    (parent,) = relayed.records(object_id)
    (record,) = relayed.records(child, "subscription_item")
    assert (record["subscription_id"], record["quantity"]) == (object_id, 3)
    assert (record["_operation"], record["_event_at"]) == ("created", parent["_event_at"])
    assert (record["_event_id"], record["_previous"]) == (parent["_event_id"], None)
    places = {
        read.key: read.partition
        for name in ("subscription", "subscription_item")
        for read in relayed.installation.read(name)
        if read.key in (object_id, child)
    }
    assert places[object_id] == places[child]


def test_a_child_that_did_not_change_is_not_published_again(
    relayed: Relayed, object_id: str
) -> None:
    kept, changed = f"si_{object_id}_1", f"si_{object_id}_2"
    relayed.send(subscription(object_id, 1, item(kept), item(changed, 1)))
    relayed.send(subscription(object_id, 2, item(kept), item(changed, 2), status="active"))
    assert len(relayed.records(kept, "subscription_item")) == 1
    told = [
        (record["_operation"], record["quantity"])
        for record in relayed.records(changed, "subscription_item")
    ]
    assert told == [("created", 1), ("updated", 2)]


@pytest.mark.parametrize("together", [True, False])
def test_a_removed_item_is_deleted_with_its_last_known_body(
    relayed: Relayed, object_id: str, together: bool
) -> None:
    gone, kept = f"si_{object_id}_1", f"si_{object_id}_2"
    told = [
        subscription(object_id, 1, item(gone, 7), item(kept)),
        subscription(object_id, 2, item(kept), status="active"),
    ]
    if together:
        relayed.send(*told)
    else:
        relayed.send(told[0])
        relayed.send(told[1])
    last = relayed.records(gone, "subscription_item")[-1]
    assert (last["_operation"], last["quantity"]) == ("deleted", 7)
    assert [record["_operation"] for record in relayed.records(kept, "subscription_item")] == [
        "created"
    ]


def test_several_changes_of_one_batch_and_second_end_in_the_last_ones_children(
    relayed: Relayed, object_id: str
) -> None:
    first, second = f"si_{object_id}_1", f"si_{object_id}_2"

    def change(number: int, **fields: Any) -> Sent:
        previous = {"cancel_at": number - 1} if number else {"status": "x"}
        return event(
            f"evt_{object_id}_{number}",
            object_id,
            second=1,
            previous=previous,
            cancel_at=number,
            **fields,
        )

    relayed.send(
        change(0, items=listed([item(first)])),
        change(1, items=listed([item(second)])),
        change(2, items=listed([item(first, 2)])),
    )
    operations = {
        child: [r["_operation"] for r in relayed.records(child, "subscription_item")]
        for child in (first, second)
    }
    assert operations == {
        first: ["created", "deleted", "created"],
        second: ["created", "deleted"],
    }
    assert_strictly_increasing(relayed.installation.read("subscription_item"))


def test_a_stale_list_deletes_no_child(relayed: Relayed, object_id: str) -> None:
    child = f"si_{object_id}"
    relayed.send(subscription(object_id, 5, item(child)))
    relayed.send(subscription(object_id, 3))
    assert [r["_operation"] for r in relayed.records(child, "subscription_item")] == ["created"]


def test_without_an_api_key_a_truncated_list_deletes_no_child_and_is_counted(
    relayed: Relayed, object_id: str
) -> None:
    kept, new = f"si_{object_id}_1", f"si_{object_id}_2"
    relayed.send(subscription(object_id, 1, item(kept)))
    with relayed.counting(INCOMPLETE, by=1):
        relayed.send(subscription(object_id, 2, item(new), has_more=True))
    for child in (kept, new):
        records = relayed.records(child, "subscription_item")
        assert [record["_operation"] for record in records] == ["created"]


def test_a_deleted_invoice_takes_its_lines_with_it(relayed: Relayed, object_id: str) -> None:
    shown, lost = f"il_{object_id}_1", f"il_{object_id}_2"
    elements = [{"id": name, "object": "line_item", "amount": 5} for name in (shown, lost)]

    def told(second: int, kind: str, *elements: dict[str, Any]) -> Sent:
        return event(
            f"evt_{object_id}_{second}",
            object_id,
            second=second,
            kind=kind,
            object_name="invoice",
            lines=listed(list(elements)),
        )

    relayed.send(told(1, "invoice.created", *elements))
    relayed.send(told(2, "invoice.deleted", elements[0]))
    for name in (shown, lost):
        last = relayed.records(name, "line_item")[-1]
        assert (last["_operation"], last["amount"]) == ("deleted", 5)
        assert last["invoice_id"] == object_id


def test_a_snapshot_of_the_parent_is_one_of_its_children(relayed: Relayed, object_id: str) -> None:
    child = f"si_{object_id}"
    relayed.send(snapshot(object_id, second=4, items=listed([item(child)])))
    (record,) = relayed.records(child, "subscription_item")
    assert (record["_operation"], record["_source"]) == ("snapshot", "backfill")


def test_two_accounts_with_one_child_id_do_not_collide(relayed: Relayed, object_id: str) -> None:
    child = f"si_{object_id}"
    relayed.send(
        subscription(object_id, 1, item(child, 1), account="acct_1"),
        subscription(object_id, 1, item(child, 2), account="acct_2"),
        subscription(object_id, 2, account="acct_1"),
    )
    ends = {
        account: relayed.records(f"{account}/{child}", "subscription_item")[-1]
        for account in ("acct_1", "acct_2")
    }
    assert [end["_account_id"] for end in ends.values()] == ["acct_1", "acct_2"]
    assert [(end["_operation"], end["quantity"]) for end in ends.values()] == [
        ("deleted", 1),
        ("created", 2),
    ]
    assert relayed.records(child, "subscription_item") == []


def test_a_child_that_comes_alone_is_counted_and_passed_by(
    relayed: Relayed, object_id: str
) -> None:
    with relayed.counting(DROPPED, by=1):
        relayed.send(snapshot(object_id, second=1, object_name="subscription_item"))
    assert relayed.records(object_id, "subscription_item") == []


def charge_showing(charge_id: str, refund_id: str, *, second: int, status: str) -> Sent:
    """An event of a charge that shows a refund in this state."""
    return event(
        f"evt_{charge_id}_{second}",
        charge_id,
        second=second,
        kind="charge.refunded",
        object_name="charge",
        amount_refunded=second,
        refunds=listed([{"id": refund_id, "object": "refund", "status": status}]),
    )


@pytest.mark.parametrize("together", [True, False])
def test_what_a_parent_showed_of_a_child_before_another_one_did_does_not_undo_it(
    relayed: Relayed, object_id: str, together: bool
) -> None:
    first, other, refund_id = f"ch_1_{object_id}", f"ch_2_{object_id}", f"re_{object_id}"
    told = [
        charge_showing(first, refund_id, second=1, status="succeeded"),
        # Changed and changed back in between, as the other one shows too late.
        charge_showing(first, refund_id, second=3, status="succeeded"),
        charge_showing(other, refund_id, second=2, status="pending"),
    ]
    for batch in [told] if together else [[one] for one in told]:
        relayed.send(*batch)
    assert [one["status"] for one in relayed.records(refund_id, "refund")] == ["succeeded"]


def test_a_refund_in_a_charge_is_published_under_its_own_key_once(
    relayed: Relayed, object_id: str
) -> None:
    refund_id = f"re_{object_id}"
    refund = {"id": refund_id, "object": "refund", "charge": object_id, "amount": 3}

    def charge(second: int) -> Sent:
        return event(
            f"evt_{object_id}_{second}",
            object_id,
            second=second,
            kind="charge.refunded",
            object_name="charge",
            amount_refunded=second,
            refunds=listed([refund]),
        )

    with relayed.counting("stripeline_relay_sighted_total", by=1):
        relayed.send(charge(1))
        relayed.send(charge(2))
    (record,) = relayed.records(refund_id, "refund")
    assert (record["charge_id"], record["amount"]) == (object_id, 3)
    assert (record["_operation"], record["_source"]) == ("snapshot", "webhook")


@pytest.mark.parametrize("objects", [("invoice", "line_item")])
def test_an_invoice_of_250_lines_has_250_child_records(
    installation: Installation, stripe_server: StripeServer, objects: tuple[str, ...]
) -> None:
    installation.objects = objects
    serve_invoice(stripe_server, second=9)
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(invoice(1))
        installation.await_relayed()
        whole = installation.last("line_item")
        # Another event shows the beginning again.
        installation.inbox.send(invoice(12, status="paid"))
        stripe_server.second = 20
        installation.await_relayed()
    assert {value["amount"] for value in whole.values()} == set(range(250))
    assert {value["invoice_id"] for value in whole.values()} == {"in_1"}
    assert len(installation.read("line_item")) == 250
    shown = [record.value["lines"].count("il_") for record in installation.read("invoice")]
    assert shown == [10, 250, 10, 250]


def test_a_relay_killed_between_a_truncated_parent_and_its_completion_completes_it(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = ("invoice", "line_item")
    serve_invoice(stripe_server, second=1)
    relay = installation.relay(**stripe_server.settings)
    with running(relay):
        installation.inbox.send(invoice(1))
        # Stripe's clock stands still within the second, so that the wish has to wait.
        eventually(
            lambda: len(installation.read("line_item")) == 10 and bool(stripe_server.paths),
            seconds_max=SETTLE_SECONDS_MAX,
            what="the beginning is published, and the rest is asked for",
        )
        relay.kill()
        stripe_server.second = 9
        relay.start()
        installation.await_relayed()
    assert len(installation.last("line_item")) == 250


def test_after_a_restore_from_the_topics_children_are_still_their_parents(
    installation: Installation,
) -> None:
    installation.objects = ("subscription", "subscription_item")
    with installation.relaying():
        installation.inbox.send(subscription("sub_1", 1, item("si_1", 4), item("si_2")))
        installation.await_relayed()
    with installation.relaying(RELAY_MEMORY_FOLDER=str(installation.folder / "other")):
        installation.inbox.send(subscription("sub_1", 2, item("si_2"), status="active"))
        installation.await_relayed()
        installation.inbox.send(snapshot("sub_1", second=9, kind=Kind.GONE))
        installation.await_relayed()
    told = [
        (record.key, record.value["_operation"], record.value["quantity"])
        for record in installation.read("subscription_item")
    ]
    assert told == [
        ("si_1", "created", 4),
        ("si_2", "created", 1),
        ("si_1", "deleted", 4),
        ("si_2", "deleted", 1),
    ]


def test_each_event_that_does_not_show_its_children_asks_for_them_once(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = ("checkout.session", "item")

    def shows(second: int, status: str, *names: str) -> None:
        lines = [{"id": name, "object": "item", "amount_total": 7} for name in names]
        stripe_server.shows(
            second,
            id="cs_1",
            object="checkout.session",
            status=status,
            line_items=listed(lines),
        )

    def session(second: int, status: str) -> Sent:
        return event(
            f"evt_{second}",
            "cs_1",
            second=second,
            kind="checkout.session.completed",
            object_name="checkout.session",
            status=status,
        )

    with running(installation.relay(**stripe_server.settings)):
        shows(9, "open", "li_1")
        installation.inbox.send(session(1, "open"))
        installation.await_relayed()
        shows(19, "complete", "li_2")
        installation.inbox.send(session(12, "complete"))
        installation.await_relayed()
    assert stripe_server.paths == ["/v1/checkout/sessions/cs_1?expand%5B0%5D=line_items"] * 2
    told = [
        (record.key, record.value["parent_id"], record.value["_operation"])
        for record in installation.read("item")
    ]
    assert told == [
        ("li_1", "cs_1", "snapshot"),
        ("li_2", "cs_1", "snapshot"),
        ("li_1", "cs_1", "deleted"),
    ]
    assert installation.last("checkout.session")["cs_1"]["status"] == "complete"


def test_the_list_of_an_event_that_was_fetched_is_completed_too(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = ("invoice", "line_item")
    serve_invoice(stripe_server, second=9)
    sent = invoice(1)
    fetched = replace(sent, envelope=replace(sent.envelope, source=Source.REFETCH))
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(fetched)
        installation.await_relayed()
    assert len(installation.last("line_item")) == 250
