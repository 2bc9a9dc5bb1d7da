"""Kafka, the registry or Postgres away from the start or for a while: waited for, and said."""

from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from runtime.errors import ExitCode
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.proxy import Line, Proxy, kafka_proxy
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, COUNT, DEAD, arrives, first, unready

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    return publisher.register("ticket", schema_of(TICKET))


def proxied(url: str, proxy: Proxy) -> str:
    """The same URL through the proxy."""
    parts = urlsplit(url)
    user = f"{parts.netloc.rsplit('@', 1)[0]}@" if "@" in parts.netloc else ""
    return parts._replace(netloc=f"{user}{proxy.address}").geturl()


def proxy_of(url: str) -> Proxy:
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return Proxy(host=parts.hostname, port=parts.port)


def test_a_sink_that_finds_no_postgres_waits_says_so_and_stops_when_told(
    sink: SinkStarter, database_url: str
) -> None:
    with proxy_of(database_url) as proxy:
        proxy.set(Line.CUT)
        service = sink(DATABASE_URL=proxied(database_url, proxy))
        service.launch()
        eventually(
            lambda: "waiting" in unready(service),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink says that it waits",
        )
        assert service.stop() == ExitCode.OK


def test_a_registry_away_delays_the_rows_and_kills_no_record(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    tickets: int,
) -> None:
    with proxy_of(stack.registry) as proxy:
        proxy.set(Line.CUT)
        service = sink(SCHEMA_REGISTRY_URL=proxied(stack.registry, proxy)).start()
        publisher.publish("ticket", tickets, [change("a", 1)])
        eventually(
            lambda: "registry" in unready(service),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink says that it waits for the registry",
        )
        assert first(postgres, COUNT) is None
        proxy.set(Line.OPEN)
        arrives(postgres, COUNT, 1)
        assert first(postgres, DEAD) == 0


def test_kafka_away_delays_the_rows(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    tickets: int,
) -> None:
    with kafka_proxy(stack.kafka) as proxy:
        service = sink(KAFKA_BOOTSTRAP_SERVERS=proxy.address).start()
        publisher.publish("ticket", tickets, [change("before", 1)])
        arrives(postgres, COUNT, 1)
        proxy.set(Line.CUT)
        publisher.publish("ticket", tickets, [change("during", 1)])
        eventually(
            lambda: "Kafka" in unready(service),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink says that Kafka is away",
        )
        assert first(postgres, COUNT) == 1
        proxy.set(Line.OPEN)
        arrives(postgres, COUNT, 2)
        proxy.set(Line.CUT)
        assert service.stop() == ExitCode.OK


def test_a_dead_letter_waits_for_its_topic(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    stack: Infrastructure,
    tickets: int,
) -> None:
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    admin.delete_topics([publisher.names.dead_letters])[publisher.names.dead_letters].result()
    publisher.publish_values("ticket", [("k", b"garbage")])
    service = sink().start()
    eventually(
        lambda: "dead-letters" in unready(service),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the sink says what it waits for",
    )
    assert first(postgres, DEAD) == 0
    assert first(postgres, "select max(next_offset) from stripeline.partition_offset") == 0
    publisher.make_topic(publisher.names.dead_letters, partitions=1)
    arrives(postgres, DEAD, 1)
    assert [key for key, _value, _headers in publisher.dead_letters()] == ["k"]
