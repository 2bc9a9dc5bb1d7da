"""Ties that only Stripe can settle: rule 3, over real HTTP through the `stripe` package."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from tests.end_to_end.services import eventually, running
from tests.relay.inbox_writer import FIRST_SECOND, event
from tests.relay.installation import SETTLE_SECONDS_MAX, Installation, await_metric
from tests.relay.stripe_server import StripeServer

pytestmark = pytest.mark.stack

REFETCHED = "stripeline_relay_refetched_total"
FIRST = event("evt_1", "sub_1", second=1, status="a", previous={"status": "b"})
SECOND = event("evt_2", "sub_1", second=1, status="b", previous={"status": "a"})
"""Neither body tells which of the two is later: each may follow the other."""


def seconds(count: int) -> datetime:
    return datetime.fromtimestamp(FIRST_SECOND, tz=UTC) + timedelta(seconds=count)


def test_a_tie_is_fetched_and_the_fetched_state_is_the_later_one(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
        await_metric(relay, REFETCHED, 1)
        assert relay.metric(REFETCHED) == 1
    records = installation.read()
    assert [record.value["status"] for record in records] == ["a", "fetched"]
    last = records[-1]
    assert (last.value["_source"], last.value["_operation"]) == ("refetch", "snapshot")
    # A request takes some time: the second in which it was answered proves nothing.
    assert last.event_at == seconds(8) - timedelta(microseconds=1)
    assert stripe_server.paths == ["/v1/subscriptions/sub_1"]


def test_a_tie_waits_until_stripes_clock_has_left_its_second(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(2, id="sub_1", object="subscription", status="too_early")
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        eventually(
            lambda: len(stripe_server.paths) >= 2,
            seconds_max=SETTLE_SECONDS_MAX,
            what="Stripe is asked again",
        )
        stripe_server.shows(4, id="sub_1", object="subscription", status="late_enough")
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["a", "late_enough"]


def test_while_stripe_is_away_others_go_on_and_a_killed_relay_loses_no_tie(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.fails(HTTPStatus.SERVICE_UNAVAILABLE)
    relay = installation.relay(**stripe_server.settings)
    with running(relay):
        installation.inbox.send(FIRST, SECOND)
        installation.inbox.send(*(event(f"evt_{n}", f"sub_{n}", second=1) for n in range(3, 20)))
        eventually(
            lambda: len(installation.last()) == 18,
            seconds_max=SETTLE_SECONDS_MAX,
            what="the others are published",
        )
        assert stripe_server.paths
        relay.kill()
        stripe_server.shows(9, id="sub_1", object="subscription", status="fetched")
        relay.start()
        installation.await_relayed()
    assert installation.last()["sub_1"]["status"] == "fetched"
    assert len(installation.read()) == 19


def test_what_stripe_says_is_gone_is_deleted_with_its_last_known_body(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.fails(HTTPStatus.NOT_FOUND, second=9, code="resource_missing")
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
    last = installation.last()["sub_1"]
    assert (last["_operation"], last["status"]) == ("deleted", "a")


def test_where_stripe_refuses_the_order_is_that_of_arrival_and_counted(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.fails(HTTPStatus.FORBIDDEN)
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
        await_metric(relay, REFETCHED, 2)
        assert relay.metric(REFETCHED) == 2
    assert [record.value["status"] for record in installation.read()] == ["a", "b"]


def test_a_second_that_is_far_ahead_of_stripes_clock_is_not_waited_for(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(-1_000, id="sub_1", object="subscription", status="fetched")
    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
    assert [record.value["status"] for record in installation.read()] == ["a", "b"]


def test_without_an_api_key_the_order_is_that_of_arrival_and_counted(
    installation: Installation,
) -> None:
    with installation.relaying() as relay:
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
        await_metric(relay, REFETCHED, 1)
        assert relay.metric(REFETCHED) == 1
    assert [record.value["status"] for record in installation.read()] == ["a", "b"]


def test_a_tie_that_comes_again_after_it_was_settled_is_a_duplicate(
    installation: Installation, stripe_server: StripeServer
) -> None:
    stripe_server.shows(9, id="sub_1", object="subscription", status="a")
    with running(relay := installation.relay(**stripe_server.settings)):
        installation.inbox.send(FIRST, SECOND)
        installation.await_relayed()
        installation.inbox.send(SECOND)
        installation.await_relayed()
        await_metric(relay, REFETCHED, 1)
        assert relay.metric(REFETCHED) == 1
    assert len(stripe_server.paths) == 1
    assert [record.value["status"] for record in installation.read()] == ["a"]
