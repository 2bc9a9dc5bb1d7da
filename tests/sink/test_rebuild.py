"""Tables made again from their topics, on real Kafka, registry and Postgres, while in use."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from schemas.codec import frame
from sink.errors import SuspiciousTopic, TopicMissing
from sink.rebuild_tables import Finding
from tests.end_to_end.services import eventually
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import (
    ALL_WRITTEN,
    LAST_CHANGES,
    Workplace,
    findings,
    only,
    published,
    rows,
)
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]


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
    arrives(postgres, LAST_CHANGES, 200)
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


def test_a_table_that_cannot_be_rebuilt_keeps_no_other_from_it(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    for name in ("account", "zone"):
        publisher.make_topic(publisher.names.object_topic(name))
        publisher.publish(name, publisher.register(name, schema_of(TICKET)), [change("a", 1)])
    postgres.execute("create schema stripe")
    postgres.execute("create view stripe.account as select 'a' as id, now() as _event_at")
    code, told = workplace.said("rebuild", "--all")
    assert code == 1, told
    assert "account: failed" in told
    assert "stripe.account exists and is no ordinary table" in " ".join(told.split())
    assert "zone: 1 records; 1 missing" in told
    assert first(postgres, "select count(*) from stripe.ticket") == 10
    assert first(postgres, "select count(*) from stripe.zone") == 1
    assert workplace.said("verify", "ticket", "zone")[0] == 0


def test_a_difference_is_told_by_the_exit_code_whatever_else_is_wrong(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    publisher.publish_values("ticket", [("o00003", b"no frame")])
    workplace.rebuild("ticket")
    assert workplace.said("verify", "ticket")[0] == 1
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o00004'")
    assert workplace.said("verify", "ticket")[0] == 4
    assert workplace.said("verify", "ticket", "nothing")[0] == 4
