"""Thin events in the relay: what they name is fetched, and published once."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import pytest

from schemas.inbox import Envelope, Kind, Source
from tests.end_to_end.services import running
from tests.relay.inbox_writer import FIRST_SECOND, Sent, event
from tests.relay.installation import Installation, await_metric
from tests.relay.stripe_server import StripeServer

pytestmark = pytest.mark.stack

DROPPED = "stripeline_relay_dropped_total"
DEAD = "stripeline_dead_letters_total"
PATH = "/v1/subscriptions/sub_1"
ITSELF = "/v2/core/events/evt_thin_1"


def thin(
    second: int,
    *,
    related: dict[str, str] | None,
    snapshot_event: str | None = None,
    key: str = "sub_1",
    kind: str = "v1.customer.subscription.updated",
) -> Sent:
    """A thin event, as the webhook stores it."""
    created = datetime.fromtimestamp(FIRST_SECOND + second + 0.25, tz=UTC)
    body = {
        "id": f"evt_thin_{second}",
        "object": "v2.core.event",
        "type": kind,
        "created": created.isoformat().replace("+00:00", "Z"),
        "livemode": False,
        "related_object": related,
        "snapshot_event": snapshot_event,
    }
    return Sent(
        key=key,
        value=json.dumps(body).encode(),
        envelope=Envelope(kind=Kind.THIN_EVENT, source=Source.WEBHOOK, received_at=1_000_000),
    )


RELATED = {"id": "sub_1", "type": "subscription", "url": PATH}


def whole(second: int, **fields: Any) -> Sent:
    """The event that goes with a thin one."""
    return event(f"evt_{second}", "sub_1", second=second, **fields)


def test_the_object_of_a_thin_event_is_fetched(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
    stripe_server.missing.add(ITSELF)
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=RELATED))
        installation.await_relayed()
    (record,) = installation.read()
    assert (record.key, record.value["status"]) == ("sub_1", "fetched")
    assert (record.value["_operation"], record.value["_source"]) == ("snapshot", "refetch")
    assert stripe_server.paths == [ITSELF, PATH]


@pytest.mark.parametrize("related", [RELATED, None])
def test_a_thin_event_that_tells_nothing_more_brings_its_whole_event(
    installation: Installation, stripe_server: StripeServer, related: dict[str, str] | None
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="later")
    told = thin(1, related=related, snapshot_event="evt_1")
    stripe_server.bodies[ITSELF] = json.loads(told.value)
    stripe_server.bodies["/v1/events/evt_1"] = json.loads(whole(1, status="active").value)
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=related, key="sub_1" if related else "evt_thin_1"))
        installation.await_relayed()
        installation.inbox.send(whole(1, status="active"))
        installation.await_relayed()
    (record,) = installation.read()
    assert (record.value["_event_id"], record.value["status"]) == ("evt_1", "active")
    assert stripe_server.paths == [ITSELF, "/v1/events/evt_1"]


@pytest.mark.parametrize("told", [True, False])
def test_a_thin_event_without_a_whole_one_asks_for_its_object_once(
    installation: Installation, stripe_server: StripeServer, told: bool
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
    sent = thin(1, related=RELATED)
    if told:
        stripe_server.bodies[ITSELF] = json.loads(sent.value)
    else:
        # What Stripe shows at the address of the event is something else.
        stripe_server.bodies[ITSELF] = {"object": "odd"}
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(sent)
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["fetched"]
    assert stripe_server.paths == [ITSELF, PATH]


def test_a_thin_event_of_an_account_is_asked_for_there_in_the_words_of_either_api(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
    sent = thin(1, related=RELATED, key="acct_1/sub_1")
    stripe_server.bodies[ITSELF] = json.loads(sent.value)
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(
            replace(sent, envelope=replace(sent.envelope, account_id="acct_1"))
        )
        installation.await_relayed()
    assert [record.key for record in installation.read()] == ["acct_1/sub_1"]
    assert stripe_server.paths == [ITSELF, PATH]
    assert stripe_server.accounts == [(None, "acct_1"), ("acct_1", None)]


DISCOUNT_PATH = "/v1/customers/cus_1/discount"
DISCOUNT = {"type": "discount", "url": DISCOUNT_PATH}


def discount(kind: str) -> Sent:
    """A thin event of an object that has no address but its customer's."""
    return thin(1, related=DISCOUNT, key="evt_thin_1", kind=f"v1.customer.discount.{kind}")


def test_an_object_without_an_id_in_its_thin_event_has_the_key_that_it_shows(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = ("discount",)
    stripe_server.shows(9, id="di_1", object="discount", customer="cus_1")
    stripe_server.missing.add(ITSELF)
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(discount("updated"))
        installation.await_relayed()
        assert relay.metric(DEAD) == 0
    (record,) = installation.read("discount")
    assert (record.key, record.value["customer_id"]) == ("di_1", "cus_1")
    assert stripe_server.paths == [ITSELF, DISCOUNT_PATH]


def test_what_is_gone_and_was_never_named_is_counted_and_makes_no_record(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = ("discount",)
    stripe_server.second = 9
    stripe_server.missing |= {ITSELF, DISCOUNT_PATH}
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(discount("deleted"))
        installation.await_relayed()
        await_metric(relay, DROPPED, 1)
        assert (relay.metric(DROPPED), relay.metric(DEAD)) == (1, 0)
    assert installation.read("discount") == []


@pytest.mark.parametrize("later_first", [True, False])
def test_the_finer_time_of_thin_events_puts_their_whole_events_in_order(
    installation: Installation, stripe_server: StripeServer, later_first: bool
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="asked")
    thins = []
    for event_id, fraction in (("evt_a", ".450"), ("evt_b", ".650")):
        sent = thin(1, related=RELATED, snapshot_event=event_id)
        thins.append(replace(sent, value=sent.value.replace(b".250", fraction.encode())))
        told = event(event_id, "sub_1", second=1, status=event_id)
        stripe_server.bodies[f"/v1/events/{event_id}"] = json.loads(told.value)
    with running(installation.relay(**stripe_server.settings)):
        for one in reversed(thins) if later_first else thins:
            installation.inbox.send(one)
            installation.await_relayed()
    assert installation.last()["sub_1"]["status"] == "evt_b"
    assert len(stripe_server.paths) == 2


@pytest.mark.parametrize("thin_first", [True, False])
def test_a_thin_event_and_a_webhook_of_one_change_publish_once(
    installation: Installation, stripe_server: StripeServer, thin_first: bool
) -> None:
    told = whole(1, status="active")
    stripe_server.second = 1
    stripe_server.bodies["/v1/events/evt_1"] = json.loads(told.value)
    both = [thin(1, related=RELATED, snapshot_event="evt_1"), told]
    with running(installation.relay(**stripe_server.settings)):
        for one in both if thin_first else reversed(both):
            installation.inbox.send(one)
            installation.await_relayed()
    (record,) = installation.read()
    assert (record.value["_event_id"], record.value["_operation"]) == ("evt_1", "updated")
    assert stripe_server.paths == (["/v1/events/evt_1"] if thin_first else [])


def test_an_event_that_stripe_keeps_no_longer_is_replaced_by_its_object(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
    stripe_server.missing.add("/v1/events/evt_1")
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=RELATED, snapshot_event="evt_1"))
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["fetched"]
    assert stripe_server.paths == ["/v1/events/evt_1", PATH]


def test_a_thin_event_older_than_what_is_published_asks_for_nothing(
    installation: Installation, stripe_server: StripeServer
) -> None:
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(whole(5, status="newer"), thin(4, related=RELATED))
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["newer"]
    assert stripe_server.paths == []


def test_an_object_of_the_second_api_flows_as_a_generic_record(
    installation: Installation, stripe_server: StripeServer
) -> None:
    related = {"id": "ba_1", "type": "v2.core.thing", "url": "/v2/core/things/ba_1"}
    stripe_server.shows(9, id="ba_1", object="v2.core.thing", created="2026-09-30T00:00:00Z")
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=related, key="ba_1"))
        installation.await_relayed()
    (record,) = installation.read("v2.core.thing")
    assert record.key == "ba_1"
    assert json.loads(record.value["extra"]) == {"created": "2026-09-30T00:00:00Z"}


def test_what_names_no_object_or_cannot_be_fetched_is_counted_and_dropped(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.fails(HTTPStatus.FORBIDDEN)
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=None, key="evt_thin_1"), thin(2, related=RELATED))
        installation.await_relayed()
        await_metric(relay, DROPPED, 2)
        assert (relay.metric(DROPPED), relay.metric(DEAD)) == (2, 0)
    assert installation.read() == []


def test_without_an_api_key_a_thin_event_is_counted_and_dropped(
    installation: Installation,
) -> None:
    with installation.relaying() as relay:
        installation.inbox.send(thin(1, related=RELATED))
        installation.await_relayed()
        await_metric(relay, DROPPED, 1)
    assert installation.read() == []
