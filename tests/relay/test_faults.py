"""Relays that die, leave and join, a Kafka that goes away: nothing is lost or repeated."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.end_to_end.services import Service, eventually, running
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.infrastructure import Infrastructure
from tests.proxy import Line, kafka_proxy
from tests.relay.inbox_writer import Sent, event
from tests.relay.installation import SETTLE_SECONDS_MAX, Installation
from tests.relay.stripe_server import listed

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

OBJECTS = 100
CHANGES = 40
SMALL_BATCH = {"RELAY_BATCH_RECORDS_MAX": "20"}


def changes() -> list[Sent]:
    """Every object's changes, each object's in order, four to a second; its item changes, too."""
    return [
        event(
            f"evt_{number}_{change}",
            f"sub_{number}",
            second=change // 4,
            previous={"metadata": {"n": str(change - 1)}},
            status="active",
            metadata={"n": str(change)},
            items=listed(
                [{"id": f"si_{number}", "object": "subscription_item", "quantity": change}]
            ),
        )
        for change in range(CHANGES)
        for number in range(OBJECTS)
    ]


@contextmanager
def writing(installation: Installation) -> Iterator[None]:
    """The changes come in while the block runs; all are in the inbox at its end."""
    told = changes()
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for start in range(0, len(told), 100):
                installation.inbox.send_all(told[start : start + 100])
        except BaseException as error:  # noqa: BLE001 - raised by the test's own thread
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        writer.join()
    assert not failures


def assert_each_change_is_there_once(installation: Installation) -> None:
    for object_name in ("subscription", "subscription_item"):
        records = installation.read(object_name)
        published = Counter(record.value["_event_id"] for record in records)
        assert set(published.values()) == {1}
        assert len(published) == OBJECTS * CHANGES
        assert_strictly_increasing(records)


def consumed(installation: Installation, *, at_least: int) -> None:
    eventually(
        lambda: len(installation.read()) >= at_least,
        seconds_max=SETTLE_SECONDS_MAX,
        what=f"{at_least} changes are published",
    )


def interrupted(relay: Service, *, times: int) -> None:
    eventually(
        lambda: relay.log().count("relay interrupted") >= times,
        seconds_max=SETTLE_SECONDS_MAX,
        what=f"the relay is interrupted {times} times",
    )


def test_kill_9_in_the_middle_of_a_batch_loses_and_repeats_nothing(
    installation: Installation,
) -> None:
    relay = installation.relay(**SMALL_BATCH)
    with running(relay), writing(installation):
        for number in range(3):
            consumed(installation, at_least=300 * (number + 1))
            relay.kill()
            relay.start()
        installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_a_relay_that_lost_its_memory_repeats_nothing(installation: Installation) -> None:
    with writing(installation), running(relay := installation.relay(**SMALL_BATCH)):
        consumed(installation, at_least=500)
        relay.kill()
    other = {**SMALL_BATCH, "RELAY_MEMORY_FOLDER": str(installation.folder / "other")}
    with running(installation.relay(**other)):
        installation.inbox.send_all(changes())
        installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_a_relay_joins_and_one_leaves_without_a_wrong_or_missing_record(
    installation: Installation,
) -> None:
    first, second = (installation.relay(name, **SMALL_BATCH) for name in ("a", "b"))
    with running(first), writing(installation):
        consumed(installation, at_least=300)
        with running(second):
            consumed(installation, at_least=1_000)
            assert first.stop() == 0
            consumed(installation, at_least=2_000)
            first.start()
        installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_one_of_two_relays_is_killed_and_the_other_takes_over(
    installation: Installation,
) -> None:
    first, second = (installation.relay(name, **SMALL_BATCH) for name in ("a", "b"))
    with running(first, second), writing(installation):
        consumed(installation, at_least=300)
        second.kill()
        installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_kafka_goes_away_and_comes_back(installation: Installation, stack: Infrastructure) -> None:
    with kafka_proxy(stack.kafka) as proxy:
        relay = installation.relay(KAFKA_BOOTSTRAP_SERVERS=proxy.address, **SMALL_BATCH)
        with running(relay), writing(installation):
            published = 0
            for number in range(2):
                # More than before, so that it is at work again: a relay that has just taken over
                # has nothing that could be interrupted.
                consumed(installation, at_least=published + 300)
                proxy.set(Line.CUT)
                interrupted(relay, times=number + 1)
                published = len(installation.read())
                proxy.set(Line.OPEN)
            installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_a_line_that_is_held_during_a_commit_repeats_nothing(
    installation: Installation, stack: Infrastructure
) -> None:
    with kafka_proxy(stack.kafka) as proxy:
        relay = installation.relay(KAFKA_BOOTSTRAP_SERVERS=proxy.address, **SMALL_BATCH)
        with running(relay), writing(installation):
            consumed(installation, at_least=300)
            proxy.set(Line.HELD)
            interrupted(relay, times=1)
            proxy.set(Line.OPEN)
            installation.await_relayed()
    assert_each_change_is_there_once(installation)


def test_an_outage_never_reaches_the_dead_letters(
    installation: Installation, stack: Infrastructure
) -> None:
    away = replace(stack, registry="http://127.0.0.1:9/nobody")
    without_registry = installation.relay(SCHEMA_REGISTRY_URL=away.registry)
    installation.inbox.send(event("evt_1", "sub_1", second=1, status="a"))
    without_registry.launch()
    try:
        eventually(
            lambda: "RegistryUnreachable" in without_registry.log(),
            seconds_max=SETTLE_SECONDS_MAX,
            what="the relay notices",
        )
        assert without_registry.metric("stripeline_dead_letters_total") == 0
    finally:
        without_registry.close()
    with installation.relaying():
        installation.await_relayed()
    assert [record.key for record in installation.read()] == ["sub_1"]
