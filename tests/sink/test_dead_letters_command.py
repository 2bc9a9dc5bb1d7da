"""`stripeline dead-letters` on real Kafka, registry and Postgres."""

import json
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer

from schemas.dead_letters import DeadLetter
from tests.end_to_end.services import Service, eventually
from tests.infrastructure import Infrastructure
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, DEAD, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


@pytest.fixture
def workplace(stack: Infrastructure, namespace: str, database_url: str) -> Workplace:
    return Workplace(stack, namespace=namespace, database_url=database_url)


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic for tickets."""
    publisher.make_topic(publisher.names.object_topic("ticket"), partitions=1)
    return publisher.register("ticket", schema_of(TICKET))


@pytest.fixture
def refused(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> SinkStarter:
    """Two changes of one object in the table or dead, by a constraint that refuses the first."""
    sink().start()
    publisher.publish("ticket", tickets, [change("other", 1)])
    arrives(postgres, "select count(*) from stripe.ticket", 1)
    postgres.execute("alter table stripe.ticket add constraint cheap check (amount < 100)")
    publisher.publish("ticket", tickets, [change("a", 1, amount=500, title="dear")])
    arrives(postgres, DEAD, 1)
    return sink


def origin_of(publisher: Publisher) -> str:
    ((_key, _value, headers),) = publisher.dead_letters()
    return DeadLetter.from_headers(headers.items()).name


def test_a_letter_retried_when_its_cause_is_gone_becomes_its_row(
    workplace: Workplace, publisher: Publisher, postgres: Session, refused: SinkStarter
) -> None:
    name = origin_of(publisher)
    code, told = workplace.dead_letters("list")
    assert (code, name in told, "23514" in told) == (0, True, True), told
    code, told = workplace.dead_letters("retry", name)
    assert code == 1
    assert "cheap" in told
    assert first(postgres, DEAD) == 1
    postgres.execute("alter table stripe.ticket drop constraint cheap")
    code, told = workplace.dead_letters("retry", name)
    assert (code, "1 of 1 retried" in told) == (0, True), told
    assert first(postgres, "select title from stripe.ticket where id = 'a'") == "dear"
    assert first(postgres, DEAD) == 0
    assert "no open dead letters" in workplace.dead_letters("list")[1]


def test_a_letter_retried_after_a_newer_event_leaves_the_newer_row(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    refused: SinkStarter,
) -> None:
    publisher.publish("ticket", tickets, [change("a", 2, amount=5, title="newer")])
    arrives(postgres, "select title from stripe.ticket where id = 'a'", "newer")
    postgres.execute("alter table stripe.ticket drop constraint cheap")
    assert workplace.dead_letters("retry", "--all")[0] == 0
    assert first(postgres, "select title from stripe.ticket where id = 'a'") == "newer"
    assert first(postgres, DEAD) == 0


def test_a_retried_letter_is_in_its_place_in_the_history_too(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    refused: SinkStarter,
) -> None:
    publisher.publish("ticket", tickets, [change("a", 2, amount=5, title="newer")])
    arrives(postgres, "select title from stripe.ticket where id = 'a'", "newer")
    workplace.said("replay", "ticket", "--from", "0", HISTORY="ticket")
    postgres.execute("alter table stripe.ticket drop constraint cheap")
    postgres.execute("delete from stripe_history.ticket where title = 'dear'")
    code, told = workplace.dead_letters("retry", "--all", HISTORY="ticket")
    assert code == 0, told
    kept = "select title, valid_to is null from stripe_history.ticket where id = 'a' order by 2"
    assert postgres.execute(kept).fetchall() == [("dear", False), ("newer", True)]


def test_a_letter_that_cannot_be_written_holds_no_other_letter_up(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    refused: SinkStarter,
) -> None:
    publisher.make_topic(publisher.names.object_topic("visit"), partitions=1)
    visits = publisher.register("visit", schema_of(TICKET, stripe_object="visit"))
    publisher.publish("visit", visits, [change("v", 1)])
    arrives(postgres, "select count(*) from stripe.visit", 1)
    postgres.execute("alter table stripe.visit add constraint few check (id = 'v')")
    publisher.publish("visit", visits, [change("w", 1)])
    arrives(postgres, DEAD, 2)
    postgres.execute("alter table stripe.visit drop constraint few")
    # This table takes nothing now, for a reason that no record has.
    postgres.execute("alter table stripe.ticket drop constraint ticket_pkey")
    code, told = workplace.dead_letters("retry", "--all")
    assert (code, "1 of 2 retried" in told, "primary key" in told) == (1, True, True), told
    assert first(postgres, "select count(*) from stripe.visit") == 2
    assert first(postgres, DEAD) == 1


def test_postgres_that_is_away_fails_each_letter_and_settles_none(
    stack: Infrastructure,
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    refused: SinkStarter,
) -> None:
    name = origin_of(publisher)
    postgres.execute("alter table stripe.ticket drop constraint cheap")
    elsewhere = Workplace(
        stack, namespace=workplace.site.namespace, database_url="postgresql://127.0.0.1:1/nowhere"
    )
    code, told = elsewhere.dead_letters("retry", "--all")
    assert (code, f"{name}: " in told, "0 of 1 retried" in told) == (1, True, True), told
    assert "Traceback" not in told
    assert "onnection refused" in told
    assert name in workplace.dead_letters("list")[1]


def test_a_letter_says_where_it_died_and_keeps_its_bytes(
    workplace: Workplace, publisher: Publisher, refused: SinkStarter
) -> None:
    ((key, value, _headers),) = publisher.dead_letters()
    name = origin_of(publisher)
    code, told = workplace.dead_letters("show", name)
    assert code == 0
    assert f"key {key}" in told
    assert "sink.postgres" in told
    assert "PostgresRefused" in told
    assert "dear" not in told
    assert workplace.dead_letter_bytes(name) == value


def test_a_discarded_letter_is_listed_no_more_and_counts_no_more(
    workplace: Workplace, publisher: Publisher, postgres: Session, refused: SinkStarter
) -> None:
    name = origin_of(publisher)
    assert workplace.dead_letters("discard", name)[0] == 0
    assert first(postgres, DEAD) == 0
    assert "no open dead letters" in workplace.dead_letters("list")[1]
    code, told = workplace.dead_letters("discard", name)
    assert code == 2
    assert name in told


OPEN = "stripeline_sink_dead_letters_open"


def shown(service: Service, count: int) -> None:
    eventually(
        lambda: service.metric(OPEN) == count,
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"{count} open dead letters are shown",
    )


@pytest.mark.parametrize("command", ["retry", "discard"])
def test_settling_letters_lowers_the_gauge_and_the_rate_of_a_sink_that_runs(
    workplace: Workplace,
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    command: str,
) -> None:
    service = sink(SINK_DEAD_LETTERS_PER_THOUSAND_MAX="2").start()
    publisher.publish("ticket", tickets, [change("good", 1)])
    arrives(postgres, "select count(*) from stripe.ticket", 1)
    for round_number in (1, 2):
        postgres.execute(
            "alter table stripe.ticket add constraint cheap check (amount < 100) not valid"
        )
        for number in range(2):
            name = f"dear{round_number}{number}"
            publisher.publish("ticket", tickets, [change(name, 1, amount=500)])
        arrives(postgres, DEAD, 2)
        shown(service, 2)
        postgres.execute("alter table stripe.ticket drop constraint cheap")
        code, told = workplace.dead_letters(command, "--all")
        assert code == 0, told
        shown(service, 0)
    assert service.stop() == 0


def test_a_letter_of_the_relay_goes_back_into_the_inbox_as_it_was(
    stack: Infrastructure, workplace: Workplace, publisher: Publisher
) -> None:
    inbox = publisher.names.inbox
    publisher.make_topic(inbox, partitions=1)
    letter = DeadLetter(
        service="relay", topic=inbox, partition=0, offset=41, reason="bad_json", at=1
    )
    body = json.dumps({"id": "evt_1"}).encode()
    producer = Producer({"bootstrap.servers": stack.kafka})
    for _ in range(2):  # As a relay leaves it that was killed in between.
        producer.produce(
            publisher.names.dead_letters,
            key="cus_1",
            value=body,
            headers=[*letter.headers([("stripeline.kind", b"event")])],
        )
    producer.flush()
    code, told = workplace.dead_letters("list", "--service", "relay")
    assert (code, "1 open dead letters" in told) == (0, True), told
    assert workplace.dead_letters("retry", letter.name)[0] == 0
    assert publisher.records(inbox) == [("cus_1", body, {"stripeline.kind": b"event"})]
    assert "no open dead letters" in workplace.dead_letters("list")[1]


def test_a_choice_that_says_nothing_or_everything_twice_is_refused(workplace: Workplace) -> None:
    assert workplace.dead_letters("retry")[0] == 2
    assert workplace.dead_letters("discard", "t/0/1", "--all")[0] == 2


def test_too_many_dead_letters_within_a_thousand_stop_the_sink_and_a_restart_drains_no_more(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    for number in range(3):
        publisher.publish_values("ticket", [("same key", b"garbage")])
        publisher.publish("ticket", tickets, [change(f"good{number}", 1)])
    for attempt in ("first", "second"):
        service = sink(attempt, SINK_DEAD_LETTERS_PER_THOUSAND_MAX="3")
        service.launch()
        if attempt == "first":
            arrives(postgres, DEAD, 3)
            arrives(postgres, "select count(*) from stripe.ticket", 3)
            publisher.publish_values("ticket", [("same key", b"garbage")])
        assert service.wait() == 1
        assert "4 of 1000 records" in service.log()
        assert first(postgres, DEAD) == 3
