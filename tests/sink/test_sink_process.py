"""`stripeline sink run` as a process, on real Kafka, registry and Postgres."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from runtime.errors import ExitCode
from schemas.dead_letters import DeadLetter
from tests.end_to_end.services import Service, eventually
from tests.proxy import Line, Proxy
from tests.sink.changes import BIGINT, TEXT, TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
ARRIVE_SECONDS_MAX = 60.0
OUTAGE_ROWS = 30


def first(postgres: Session, query: str) -> Any:
    """The first value of a query; none while its table is not there."""
    try:
        row = postgres.execute(query.encode()).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return None
    return None if row is None else row[0]


def arrives(postgres: Session, query: str, wanted: Any) -> None:
    eventually(
        lambda: bool(first(postgres, query) == wanted),
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"{query} gives {wanted}",
    )


COUNT = "select count(*) from stripe.ticket"
DEAD = "select count(*) from stripeline.dead_letter"


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic for tickets."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    return publisher.register("ticket", schema_of(TICKET))


def test_a_published_change_becomes_a_row_and_a_late_one_changes_nothing(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    service = sink().start()
    publisher.publish("ticket", tickets, [change("a", 20, title="newer")])
    publisher.publish("ticket", tickets, [change("a", 10, title="older"), change("b", 1)])
    arrives(postgres, COUNT, 2)
    assert first(postgres, "select title from stripe.ticket where id = 'a'") == "newer"
    assert service.stop() == ExitCode.OK
    assert publisher.committed("ticket") == first(
        postgres, "select sum(next_offset) from stripeline.partition_offset"
    )


def test_a_restarted_sink_goes_on_where_it_stood(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    service = sink().start()
    publisher.publish("ticket", tickets, [change(f"o{n}", 1) for n in range(50)])
    arrives(postgres, COUNT, 50)
    service.stop()
    postgres.execute("delete from stripe.ticket where id < 'o3'")
    left = first(postgres, COUNT)
    again = sink("again").start()
    publisher.publish("ticket", tickets, [change("new", 1)])
    arrives(postgres, COUNT, left + 1)
    eventually(
        lambda: again.metric("stripeline_sink_consumed_total") > 0,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the record is counted",
    )
    assert again.metric("stripeline_sink_consumed_total") == 1


def test_a_sink_killed_in_the_middle_of_its_batches_loses_and_repeats_nothing(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    postgres.execute("create schema stripe")
    postgres.execute("create table stripe.ticket (id text primary key)")
    postgres.execute("create table written (id text, at timestamptz)")
    postgres.execute(
        "create function note() returns trigger language plpgsql as "
        "$$ begin insert into written values (new.id, new._event_at); return new; end $$"
    )
    postgres.execute(
        "create trigger note after insert or update on stripe.ticket "
        "for each row execute function note()"
    )
    versions, objects = 8, 250
    service = sink(SINK_BATCH_RECORDS_MAX="40").start()
    for version in range(versions):
        changes = [change(f"o{n}", version + 1, title=f"v{version}") for n in range(objects)]
        publisher.publish("ticket", tickets, changes)
    eventually(
        lambda: first(postgres, "select count(*) from written") > objects,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the first batches are written",
    )
    service.kill()
    half_way = first(postgres, "select count(*) from written")
    assert half_way < versions * objects
    sink("again").start()
    arrives(
        postgres, f"select count(*) from stripe.ticket where title = 'v{versions - 1}'", objects
    )
    twice = "select count(*) from (select 1 from written group by id, at having count(*) > 1) as x"
    assert first(postgres, twice) == 0


@pytest.mark.parametrize("line", [Line.CUT, Line.HELD])
def test_postgres_away_delays_the_rows_and_kills_no_record(
    sink: SinkStarter,
    publisher: Publisher,
    postgres: Session,
    database_url: str,
    tickets: int,
    line: Line,
) -> None:
    parts = urlsplit(database_url)
    with Proxy(host=parts.hostname or "", port=parts.port or 0) as proxy:
        through = parts._replace(netloc=f"{parts.netloc.rsplit('@', 1)[0]}@{proxy.address}")
        service = sink(DATABASE_URL=through.geturl()).start()
        publisher.publish("ticket", tickets, [change("before", 1)])
        arrives(postgres, COUNT, 1)
        proxy.set(line)
        for number in range(OUTAGE_ROWS):
            publisher.publish("ticket", tickets, [change(f"during{number}", 1)])
        if line is Line.CUT:
            eventually(
                lambda: unready(service).startswith("waiting"),
                seconds_max=ARRIVE_SECONDS_MAX,
                what="the sink says that it waits",
            )
        assert first(postgres, COUNT) == 1
        proxy.set(Line.OPEN)
        arrives(postgres, COUNT, 1 + OUTAGE_ROWS)
        assert first(postgres, DEAD) == 0
        eventually(
            lambda: unready(service) == "",
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink is ready again",
        )
        assert service.stop() == ExitCode.OK


def unready(service: Service) -> str:
    """Why the sink is not ready; empty when it is."""
    answer = httpx.get(f"http://127.0.0.1:{service.said('health_port')}/readyz")
    return "" if answer.status_code == httpx.codes.OK else str(answer.json()["reason"])


def test_poison_goes_to_the_dead_letters_and_the_rest_arrive(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    good = [change(f"o{n}", 1) for n in range(60)]
    refused = change("refused", 1, body="{not json")
    publisher.publish("ticket", tickets, [*good[:20], refused, *good[20:40]])
    publisher.publish_values("ticket", [("garbage", b"garbage")])
    publisher.publish("ticket", tickets, good[40:])
    service = sink().start()
    arrives(postgres, COUNT, len(good))
    arrives(postgres, DEAD, 2)
    registered = postgres.execute(
        "select convert_from(record_key, 'UTF8'), reason, length(record_value) > 0 "
        "from stripeline.dead_letter order by 1"
    )
    assert registered.fetchall() == [("garbage", "BadFrame", True), ("refused", "22P02", True)]
    letters = {key: (value, headers) for key, value, headers in publisher.dead_letters()}
    assert set(letters) == {"garbage", "refused"}
    value, headers = letters["garbage"]
    assert value == b"garbage"
    assert headers["origin"] == b"test"
    told = DeadLetter.from_headers(list(headers.items()))
    assert (told.service, told.topic, told.reason) == (
        "sink",
        publisher.names.object_topic("ticket"),
        "BadFrame",
    )
    eventually(
        lambda: service.metric("stripeline_dead_letters_total") == 2,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="both are counted",
    )
    assert "not json" not in service.log()


def test_too_many_dead_letters_in_a_row_stop_the_sink_and_a_restart_drains_no_more(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    publisher.publish_values("ticket", [("same key", b"garbage")] * 3)
    for attempt in ("first", "second"):
        service = sink(attempt, SINK_DEAD_LETTERS_IN_A_ROW_MAX="5")
        service.launch()
        if attempt == "first":
            arrives(postgres, DEAD, 3)
            publisher.publish_values("ticket", [("same key", b"garbage")] * 9)
        assert service.wait() == ExitCode.FAILED
        assert first(postgres, DEAD) == 3
        assert "one after the other" in service.log()


def test_a_new_column_and_a_new_topic_appear_while_the_sink_runs(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    sink().start()
    publisher.publish("ticket", tickets, [change("a", 1)])
    arrives(postgres, COUNT, 1)
    wider = publisher.register("ticket", schema_of({**TICKET, "later": TEXT}))
    publisher.publish("ticket", wider, [change("b", 1, later="new")])
    arrives(postgres, "select later from stripe.ticket where id = 'b'", "new")
    publisher.make_topic(publisher.names.object_topic("new.thing"))
    things = publisher.register("new.thing", schema_of({"n": BIGINT}, stripe_object="new.thing"))
    publisher.publish("new.thing", things, [change("t", 1, n=1, extra='{"colour": "blue"}')])
    arrives(postgres, "select extra ->> 'colour' from stripe.new_thing", "blue")


def test_a_sink_that_leaves_hands_its_partitions_to_the_other(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    one, two = sink("one").start(), sink("two").start()
    each = "select count(*) from stripeline.partition_offset where fence > 1"
    publisher.publish("ticket", tickets, [change(f"a{n}", 1) for n in range(40)])
    arrives(postgres, COUNT, 40)
    arrives(postgres, each, 1)
    assert one.stop() == ExitCode.OK
    publisher.publish("ticket", tickets, [change(f"b{n}", 1) for n in range(40)])
    arrives(postgres, COUNT, 80)
    assert two.stop() == ExitCode.OK


def test_a_sink_that_is_killed_is_replaced_by_the_other(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    one = sink("one").start()
    two = sink("two").start()
    arrives(postgres, "select sum(fence) from stripeline.partition_offset", 3)
    one.kill()
    publisher.publish("ticket", tickets, [change(f"b{n}", 1) for n in range(40)])
    arrives(postgres, COUNT, 40)
    assert two.stop() == ExitCode.OK


def test_a_sink_that_wakes_after_it_was_replaced_writes_nothing_wrong(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    zombie = sink("zombie").start()
    publisher.publish("ticket", tickets, [change("a", 1, title="one")])
    arrives(postgres, COUNT, 1)
    zombie.pause()
    other = sink("other").start()
    publisher.publish("ticket", tickets, [change("a", 2, title="two")])
    arrives(postgres, "select title from stripe.ticket", "two")
    zombie.resume()
    publisher.publish("ticket", tickets, [change(f"b{n}", 1) for n in range(40)])
    arrives(postgres, COUNT, 41)
    assert first(postgres, "select title from stripe.ticket where id = 'a'") == "two"
    assert other.stop() == ExitCode.OK
    assert zombie.stop() == ExitCode.OK


def test_an_offset_put_back_by_hand_is_read_again_while_the_sink_runs(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    sink().start()
    publisher.publish("ticket", tickets, [change(f"a{n}", 1) for n in range(20)])
    arrives(postgres, COUNT, 20)
    postgres.execute("delete from stripe.ticket")
    postgres.execute("update stripeline.partition_offset set next_offset = 0")
    # Each partition's next record lets the sink see that its offset was moved.
    publisher.publish("ticket", tickets, [change(f"b{n}", 1) for n in range(20)])
    arrives(postgres, COUNT, 40)


def test_a_table_that_does_not_fit_stops_the_sink_with_what_to_do(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    postgres.execute("create schema stripe")
    postgres.execute("create table stripe.ticket (id text primary key, amount text)")
    service = sink()
    service.launch()
    publisher.publish("ticket", tickets, [change("a", 1)])
    assert service.wait() == ExitCode.FAILED
    assert "alter table" in service.log()
    assert first(postgres, DEAD) == 0


def test_lag_falls_to_nothing_when_all_is_written(
    sink: SinkStarter, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    service = sink().start()
    publisher.publish("ticket", tickets, [change(f"o{n}", 1) for n in range(30)])
    arrives(postgres, COUNT, 30)
    eventually(
        lambda: service.metric("stripeline_sink_lag_records") == 0,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="no record is left",
    )
    eventually(
        lambda: service.metric("stripeline_sink_written_total") == 30,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="each row is counted",
    )
    assert service.metric("stripeline_sink_paused") == 0
