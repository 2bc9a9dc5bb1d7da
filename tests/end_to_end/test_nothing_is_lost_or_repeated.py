"""Kills, rebalances and outages in the middle of a burst: nothing lost, nothing repeated."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import Service, eventually, running
from tests.end_to_end.stripe_events import Told, history
from tests.end_to_end.topic_reader import assert_strictly_increasing, read_topic

pytestmark = pytest.mark.stack

OBJECTS = 60
VERSIONS = 25
BURST = OBJECTS * VERSIONS


def _burst() -> tuple[list[Told], dict[str, int]]:
    lives = [history(f"sub_b{number}", versions=VERSIONS) for number in range(OBJECTS)]
    in_order = [event for step in zip(*lives, strict=True) for event in step]
    return in_order, {f"sub_b{number}": VERSIONS - 1 for number in range(OBJECTS)}


@contextmanager
def _sending(installation: Installation, events: list[Told]) -> Iterator[threading.Event]:
    """Send in the background; the event is set once a third has been acknowledged."""
    third = threading.Event()

    def send() -> None:
        sender = installation.sender()
        for number, event in enumerate(events):
            sender.deliver(event)
            if number == len(events) // 3:
                third.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield third
    finally:
        thread.join()


def _assert_each_event_was_published_once(installation: Installation, events: list[Told]) -> None:
    records = read_topic(installation.infrastructure, installation.topic("subscription"))
    assert_strictly_increasing(records)
    published = [record.value["_event_id"] for record in records]
    assert len(published) == len(set(published))
    assert set(published) == {event.event_id for event in events}


def _kill_in_the_middle_of_a_burst(installation: Installation, service: Service) -> None:
    """Kill the service three times, and find every event published once and every row right."""
    events, expected = _burst()
    with _sending(installation, events) as third:
        assert third.wait(ARRIVE_SECONDS_MAX)
        for _kill in range(3):
            service.kill()
            service.start()
    installation.await_versions(expected)
    _assert_each_event_was_published_once(installation, events)


def _relayed_some(relay: Service) -> bool:
    return relay.metric("stripeline_relay_published_total") > 0


def test_a_relay_killed_in_the_middle_of_a_burst_loses_and_repeats_nothing(
    installation: Installation,
) -> None:
    _kill_in_the_middle_of_a_burst(installation, installation.relay)


def test_a_sink_killed_in_the_middle_of_a_burst_loses_and_repeats_nothing(
    installation: Installation,
) -> None:
    _kill_in_the_middle_of_a_burst(installation, installation.sink)


def test_a_webhook_service_killed_in_the_middle_of_a_burst_loses_nothing_it_acknowledged(
    installation: Installation,
) -> None:
    events, expected = _burst()
    sender = installation.sender()
    for event in events[: BURST // 2]:
        sender.deliver(event)
    installation.webhook.kill()
    installation.webhook.start()
    sender = installation.sender()
    for event in events[BURST // 2 :]:
        sender.deliver(event)
    installation.await_versions(expected)
    _assert_each_event_was_published_once(installation, events)


def test_a_second_relay_that_joins_and_leaves_makes_no_wrong_and_no_missing_record(
    installation: Installation,
) -> None:
    events, expected = _burst()
    second = installation.service(
        "producer",
        "relay",
        name="relay-2",
        RELAY_INSTANCE="second",
        RELAY_MEMORY_FOLDER=installation.environment["RELAY_MEMORY_FOLDER"] + "-2",
    )
    with _sending(installation, events), running(second):
        eventually(
            lambda: _relayed_some(second),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the second relay has its share",
        )
        assert second.stop() == 0
    installation.await_versions(expected)
    _assert_each_event_was_published_once(installation, events)


def test_a_second_sink_that_joins_and_is_killed_makes_no_wrong_and_no_missing_row(
    installation: Installation,
) -> None:
    events, expected = _burst()
    second = installation.service("sink", "run", name="sink-2")
    with _sending(installation, events):
        second.start()
        second.kill()
    installation.await_versions(expected)
