"""Thin events in the relay: what they name is fetched, and published once."""

import json
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


def thin(
    second: int,
    *,
    related: dict[str, str] | None,
    snapshot_event: str | None = None,
    key: str = "sub_1",
) -> Sent:
    """A thin event, as the webhook stores it."""
    created = datetime.fromtimestamp(FIRST_SECOND + second + 0.25, tz=UTC)
    body = {
        "id": f"evt_thin_{second}",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
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
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(thin(1, related=RELATED))
        installation.await_relayed()
    (record,) = installation.read()
    assert (record.key, record.value["status"]) == ("sub_1", "fetched")
    assert (record.value["_operation"], record.value["_source"]) == ("snapshot", "refetch")
    assert stripe_server.paths == [PATH]


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
