"""Kafka or Postgres away for 20 seconds in the middle of a burst: all arrives after."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.installation import Installation
from tests.end_to_end.services import Service
from tests.end_to_end.stripe_events import Told, history
from tests.end_to_end.topic_reader import assert_strictly_increasing, read_topic
from tests.infrastructure import Infrastructure
from tests.proxy import Line, Proxy, kafka_proxy

pytestmark = pytest.mark.stack

AWAY_SECONDS = 20.0
OBJECTS = 20
VERSIONS = 20


def _burst() -> tuple[list[Told], dict[str, int]]:
    lives = [history(f"sub_o{number}", versions=VERSIONS) for number in range(OBJECTS)]
    return (
        [event for step in zip(*lives, strict=True) for event in step],
        {f"sub_o{number}": VERSIONS - 1 for number in range(OBJECTS)},
    )


def _away(proxy: Proxy, line: Line) -> None:
    """The outage itself: it lasts as long as it lasts."""
    proxy.set(line)
    time.sleep(AWAY_SECONDS)
    proxy.set(Line.OPEN)


def _burst_through_an_outage(
    installation: Installation, proxy: Proxy, line: Line, *, unready: Sequence[Service]
) -> list[Told]:
    """Send half of a burst before and half during an outage, and find every row right after it.

    Args:
        unready: services that must say during the outage that they cannot work.
    """
    events, expected = _burst()
    sender = installation.sender()
    for event in events[: len(events) // 2]:
        sender.deliver(event)
    outage = threading.Thread(target=_away, args=(proxy, line))
    outage.start()
    for service in unready:
        service.await_unready(seconds_max=AWAY_SECONDS)
    for event in events[len(events) // 2 :]:
        sender.deliver(event)
    outage.join()
    installation.await_versions(expected)
    assert _dead_letters(installation) == 0
    return events


@pytest.mark.parametrize("line", [Line.CUT, Line.HELD])
def test_after_kafka_was_away_for_20_seconds_every_event_arrives_once(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path, line: Line
) -> None:
    with kafka_proxy(stack.kafka) as proxy:
        behind = Infrastructure(
            kafka=proxy.address, registry=stack.registry, postgres=stack.postgres
        )
        installation = Installation(
            behind, namespace=namespace, database_url=database_url, folder=tmp_path
        )
        with installation.running():
            services = (installation.webhook, installation.relay, installation.sink)
            unready = services if line is Line.CUT else ()
            events = _burst_through_an_outage(installation, proxy, line, unready=unready)
        records = read_topic(stack, installation.topic("subscription"))
        assert_strictly_increasing(records)
        published = [record.value["_event_id"] for record in records]
        assert len(published) == len(set(published)) == len(events)


@pytest.mark.parametrize("line", [Line.CUT, Line.HELD])
def test_after_postgres_was_away_for_20_seconds_every_row_is_right(
    stack: Infrastructure, namespace: str, database_url: str, tmp_path: Path, line: Line
) -> None:
    address = urlsplit(database_url)
    with Proxy(host=address.hostname or "", port=address.port or 5432) as proxy:
        user = address.netloc.rpartition("@")[0]
        through = address._replace(netloc=f"{user}@{proxy.address}").geturl()
        installation = Installation(
            stack, namespace=namespace, database_url=through, folder=tmp_path
        )
        with installation.running():
            _burst_through_an_outage(installation, proxy, line, unready=())


def _dead_letters(installation: Installation) -> float:
    return installation.relay.metric("stripeline_dead_letters_total") + installation.sink.metric(
        "stripeline_dead_letters_total"
    )
