"""Tables made again from their topics, on real Kafka, registry and Postgres, while in use."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest

from schemas.codec import frame
from sink.errors import RebuildTaken, SuspiciousTopic, TopicMissing
from sink.rebuild_tables import Finding
from tests.end_to_end.services import eventually
from tests.infrastructure import Infrastructure
from tests.sink.changes import EPOCH, JSONB, SECOND, TICKET, TIMESTAMP, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Steps, Workplace, findings, only
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
KILLS = 10
EVERYTHING = (
    "select array_agg(to_jsonb(t) - '_synced_at' order by _account_id, id) from {table} as t"
)


ALL_WRITTEN = "update stripeline.partition_offset set next_offset = 1000000"
"""As a sink leaves it that has seen everything."""


@pytest.fixture
def workplace(stack: Infrastructure, namespace: str, database_url: str) -> Workplace:
    return Workplace(stack, namespace=namespace, database_url=database_url)


@pytest.fixture
def tickets(publisher: Publisher) -> int:
    """The schema's id of an object topic for tickets."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    return publisher.register("ticket", schema_of(TICKET))


def rows(postgres: Session, table: str = "stripe.ticket") -> Any:
    return first(postgres, EVERYTHING.format(table=table))


def published(publisher: Publisher, schema_id: int, objects: int, *, at: int = 1) -> None:
    """Two changes of each object, the last of one being its delete."""
    for step in (at, at + 1):
        publisher.publish(
            "ticket",
            schema_id,
            [
                change(f"o{n:05}", step, title=f"v{step}", body='{"a": 1}', amount=n)
                for n in range(objects)
            ],
        )
    publisher.publish(
        "ticket", schema_id, [change("o00000", at + 2, operation="deleted", title="last")]
    )


class At(Steps):
    """Does something once, when a rebuild is about to compare or to put right."""

    def __init__(self, moment: str, action: Callable[[], None]) -> None:
        self._moment = moment
        self._action: Callable[[], None] | None = action

    def comparing(self, _table: str) -> None:
        self._reached("comparing")

    def repairing(self, _table: str, _rows: int) -> None:
        self._reached("repairing")

    def _reached(self, moment: str) -> None:
        if moment == self._moment and self._action is not None:
            action, self._action = self._action, None
            action()


def test_a_fresh_database_is_filled_and_the_sink_goes_on_from_there(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 50)
    report = workplace.rebuild("ticket")
    assert findings(report) == {Finding.MISSING: 50}
    assert first(postgres, "select count(*) from stripe.ticket where _deleted_at is null") == 49
    service = sink().start()
    publisher.publish("ticket", tickets, [change("new", 1)])
    arrives(postgres, "select count(*) from stripe.ticket", 51)
    eventually(
        lambda: service.metric("stripeline_sink_consumed_total") > 0,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the record is counted",
    )
    assert service.metric("stripeline_sink_consumed_total") == 1
    assert not workplace.verify("ticket").differs


def test_a_rebuilt_table_equals_the_one_that_the_sink_wrote(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 200)
    connected = [change(f"o{n:05}", 9, _account_id="acct_1", title="theirs") for n in range(30)]
    publisher.publish("ticket", tickets, connected)
    sink().start()
    arrives(postgres, "select count(*) from stripe_connect.ticket", 30)
    arrives(postgres, "select count(*) from stripe.ticket where title = 'last'", 1)
    written = rows(postgres), rows(postgres, "stripe_connect.ticket")
    code, told = workplace.said("rebuild", "ticket", "--into", "again")
    assert code == 0, told
    assert (rows(postgres, "again.ticket"), rows(postgres, "again_connect.ticket")) == written


def test_a_wrong_a_missing_and_an_extra_row_are_each_reported_and_repaired(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 20)
    workplace.rebuild("ticket")
    right = rows(postgres)
    postgres.execute("update stripe.ticket set title = 'forged', amount = 0 where id = 'o00003'")
    postgres.execute("update stripe.ticket set body = '{}' where id = 'o00004'")
    postgres.execute("delete from stripe.ticket where id in ('o00005', 'o00006')")
    postgres.execute(
        "insert into stripe.ticket (id, _event_at, _operation, _source, _received_at) "
        "select 'forged', _event_at, 'updated', 'webhook', now() from stripe.ticket limit 1"
    )
    postgres.execute(
        "update stripe.ticket set _event_at = now() + interval '1 year' where id = 'o00007'"
    )
    postgres.execute("update stripe.ticket set _event_at = '2001-01-01' where id = 'o00008'")
    forged = rows(postgres)
    wanted = {
        Finding.WRONG: 2,
        Finding.MISSING: 2,
        Finding.EXTRA: 1,
        Finding.AHEAD: 1,
        Finding.BEHIND: 1,
    }
    found = workplace.verify("ticket")
    assert findings(found) == wanted
    assert only(found).changed == {"title": 1, "amount": 1, "body": 1, "_event_at": 2}
    assert (only(found).keys, only(found).same) == (20, 14)
    assert rows(postgres) == forged
    assert findings(workplace.rebuild("ticket")) == wanted
    assert rows(postgres) == right
    assert not workplace.verify("ticket").differs


def test_verify_changes_nothing_and_leaves_nothing_behind(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o00003'")
    everything = (
        "select array_agg(relname::text || ' ' || pg_relation_filenode(oid) order by 1) "
        "from pg_class where relnamespace in ('stripe'::regnamespace, 'stripeline'::regnamespace)"
    )
    before = rows(postgres), first(postgres, everything), first(postgres, _CHANGES)
    code, told = workplace.said("verify", "ticket")
    assert code == 4, told
    assert "Compared; nothing was changed" in told
    assert (rows(postgres), first(postgres, everything), first(postgres, _CHANGES)) == before
    workplace.rebuild("ticket")
    assert workplace.said("verify", "--all")[0] == 0


_CHANGES = "select array_agg(xmin::text order by id) from stripe.ticket"


def test_a_rebuild_while_the_sink_writes_ends_equal_to_a_table_never_rebuilt(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 300)
    sink().start()
    arrives(postgres, "select count(*) from stripe.ticket where title = 'last'", 1)
    postgres.execute("update stripe.ticket set title = 'forged' where id < 'o00050'")
    postgres.execute("delete from stripe.ticket where id between 'o00100' and 'o00120'")

    def others_change(at: int) -> None:
        published(publisher, tickets, 330, at=at)
        changed = f"select count(*) from stripe.ticket where title = 'v{at + 1}'"
        arrives(postgres, changed, 329)

    for moment, at in (("comparing", 10), ("repairing", 20)):
        postgres.execute("update stripe.ticket set title = 'forged' where id like '%7'")
        workplace.rebuild("ticket", steps=At(moment, partial(others_change, at)))
        assert workplace.said("rebuild", "ticket", "--into", "never_rebuilt")[0] == 0
        assert rows(postgres) == rows(postgres, "never_rebuilt.ticket")


def test_a_reader_during_a_rebuild_never_sees_fewer_rows(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 5_000)
    workplace.rebuild("ticket")
    postgres.execute("update stripe.ticket set title = 'forged'")
    with counted(workplace.site.database_url) as counts:
        assert findings(workplace.rebuild("ticket")) == {Finding.WRONG: 5_000}
    assert counts
    assert set(counts) == {5_000}


@contextmanager
def counted(database_url: str) -> Iterator[list[int]]:
    """What a reader counts over and over, from another session."""
    found: list[int] = []
    enough = threading.Event()

    def read() -> None:
        with psycopg.connect(database_url, autocommit=True) as reader:
            while not enough.is_set():
                found.append(first(reader, "select count(*) from stripe.ticket"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield found
    finally:
        enough.set()
        thread.join()


def test_a_view_a_grant_an_index_a_foreign_key_and_a_trigger_survive(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    for statement in (
        "create table noted (id text)",
        "create function note() returns trigger language plpgsql as "
        "$$ begin insert into noted values (new.id); return new; end $$",
        "create trigger note after update on stripe.ticket for each row execute function note()",
        "create view open_tickets as select id, title from stripe.ticket",
        "create index mine on stripe.ticket (title)",
        "grant select on stripe.ticket to public",
        "create table comment (ticket text references stripe.ticket (id))",
        "insert into comment values ('o00003'), ('o00004')",
        "update stripe.ticket set title = 'forged' where id = 'o00003'",
        "delete from noted",
    ):
        postgres.execute(statement.encode())
    oid = first(postgres, "select 'stripe.ticket'::regclass::oid")
    assert findings(workplace.rebuild("ticket")) == {Finding.WRONG: 1}
    assert first(postgres, "select 'stripe.ticket'::regclass::oid") == oid
    assert first(postgres, "select array_agg(id) from noted") == ["o00003"]
    assert first(postgres, "select title from open_tickets where id = 'o00003'") == "v2"
    assert first(postgres, "select has_table_privilege('public', 'stripe.ticket', 'select')")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        postgres.execute("insert into comment values ('nobody')")


def test_a_row_that_a_foreign_key_holds_is_reported_and_the_others_are_put_right(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    for name in ("held", "free"):
        postgres.execute(
            "insert into stripe.ticket (id, _event_at, _operation, _source, _received_at) "
            "values (%s, now(), 'updated', 'webhook', now())",
            [name],
        )
    postgres.execute("create table comment (ticket text references stripe.ticket (id))")
    postgres.execute("insert into comment values ('held')")
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o00003'")
    report = workplace.rebuild("ticket")
    assert only(report).refused == {"23503": 1}
    assert report.incomplete
    assert findings(workplace.verify("ticket")) == {Finding.EXTRA: 1}


def test_a_rebuild_killed_ten_times_ends_right(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 4_000)
    workplace.rebuild("ticket")
    right = rows(postgres)
    postgres.execute("update stripe.ticket set title = 'forged'")
    postgres.execute("delete from stripe.ticket where id < 'o01000'")
    moments = ("reading", "comparing", "putting")
    for kill in range(KILLS):
        with workplace.command("rebuild", "ticket") as process:
            assert process.stdout is not None
            assert any(moments[kill % len(moments)] in line for line in process.stdout)
            process.kill()
    code, told = workplace.said("rebuild", "ticket")
    assert code == 0, told
    assert rows(postgres) == right
    assert first(postgres, "select count(*) from stripeline.rebuild_progress") == 0


def test_an_interrupted_rebuild_goes_on_where_it_stood(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 20)

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workplace.rebuild("ticket", steps=At("comparing", interrupted))
    passed: list[int] = []

    class Counting(Steps):
        def passed(self, *offsets: int) -> None:
            passed.extend(offsets)

    publisher.publish("ticket", tickets, [change("new", 1)])
    report = workplace.rebuild("ticket", steps=Counting())
    assert report.records == 42
    assert findings(report) == {Finding.MISSING: 21}
    assert first(postgres, "select count(*) from stripe.ticket") == 21
    assert sum(passed) < 40


def test_a_record_that_cannot_be_read_is_told_and_its_row_is_left_alone(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    publisher.publish_values("ticket", [("o00003", b"no frame"), ("o00004", frame(tickets, b""))])
    postgres.execute("update stripe.ticket set title = 'forged' where id in ('o00003', 'o00005')")
    report = workplace.rebuild("ticket")
    assert sorted(one.reason for one in report.unreadable) == ["BadFrame", "BadRecord"]
    assert findings(report) == {Finding.WRONG: 1}
    assert first(postgres, "select title from stripe.ticket where id = 'o00003'") == "forged"
    postgres.execute(ALL_WRITTEN)
    code, told = workplace.said("verify", "ticket")
    assert code == 1
    assert "2 records cannot be read" in told


def test_several_processes_read_what_one_does(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sink.filling.SEVERAL_RECORDS_MIN", 10)
    published(publisher, tickets, 500)
    report = workplace.rebuild("ticket", processes=2)
    assert report.records == 1_001
    assert findings(report) == {Finding.MISSING: 500}
    assert not workplace.verify("ticket").differs


def test_a_field_that_moved_out_of_extra_fills_its_column_on_rebuild(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    publisher.publish("ticket", tickets, [change("a", 1, title="t")])
    workplace.rebuild("ticket")
    wider = publisher.register("ticket", schema_of({**TICKET, "due_at": TIMESTAMP, "tags": JSONB}))
    publisher.publish("ticket", wider, [change("a", 2, title="t", due_at=0, tags='["x"]')])
    postgres.execute(ALL_WRITTEN)
    found = workplace.verify("ticket")
    assert only(found).columns_missing == ["due_at", "tags"]
    assert found.differs
    workplace.rebuild("ticket")
    assert first(postgres, "select due_at is not null and tags = '[\"x\"]' from stripe.ticket")
    assert not workplace.verify("ticket").differs


def test_what_the_sink_has_not_written_yet_is_no_difference(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 10)
    service = sink().start()
    arrives(postgres, "select count(*) from stripe.ticket where title = 'last'", 1)
    service.stop()
    published(publisher, tickets, 12, at=30)
    assert not workplace.verify("ticket").differs
    assert findings(workplace.rebuild("ticket")) == {Finding.BEHIND: 10, Finding.MISSING: 2}


def test_a_topic_that_is_not_there_or_is_another_one_changes_nothing(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    with pytest.raises(TopicMissing):
        workplace.rebuild("nothing")
    postgres.execute("create schema stripe")
    postgres.execute(
        "create table stripe.ticket as select 'a' as id, now() as _event_at, null as _account_id"
    )
    with pytest.raises(SuspiciousTopic):
        workplace.rebuild("ticket")
    postgres.execute("drop table stripe.ticket")
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute("update stripe.ticket set id = 'x' || id")
    postgres.execute(
        "insert into stripe.ticket (id, _event_at, _operation, _source, _received_at) "
        "values ('one more', now(), 'updated', 'webhook', now())"
    )
    before = rows(postgres)
    with pytest.raises(SuspiciousTopic):
        workplace.rebuild("ticket")
    assert rows(postgres) == before


def test_two_rebuilds_of_one_table_do_not_run_at_once(
    workplace: Workplace, publisher: Publisher, tickets: int
) -> None:
    published(publisher, tickets, 10)

    def meanwhile() -> None:
        with pytest.raises(RebuildTaken):
            workplace.verify("ticket")

    workplace.rebuild("ticket", steps=At("comparing", meanwhile))


def test_a_replay_applies_what_came_since_under_the_guard(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    day = 86_400 * SECOND
    old = [change(name, 0, title="old") for name in "abc"]
    new = [change(name, day, title="new") for name in "bc"]
    publisher.publish_at("ticket", tickets, old, at=EPOCH)
    publisher.publish_at("ticket", tickets, new, at=EPOCH + day)
    workplace.rebuild("ticket")
    postgres.execute("delete from stripe.ticket where id in ('a', 'b')")
    postgres.execute("update stripe.ticket set title = 'newer', _event_at = now() where id = 'c'")
    since = datetime.fromtimestamp((EPOCH + day) // SECOND, UTC).isoformat()
    code, told = workplace.said("replay", "ticket", "--from", since)
    assert (code, "2 records" in told, "1 rows changed" in told) == (0, True, True), told
    titles = "select array_agg(id || ' ' || title order by id) from stripe.ticket"
    assert first(postgres, titles) == ["b new", "c newer"]
    assert workplace.said("replay", "ticket", "--from", "0")[0] == 0
    assert first(postgres, titles) == ["a old", "b new", "c newer"]
    code, told = workplace.said("replay", "ticket", "--from", "yesterday")
    assert code == 2
    assert "--from 2026-11-21T08:00" in told
