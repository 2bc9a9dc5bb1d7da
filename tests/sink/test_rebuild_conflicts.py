"""A rebuild beside others who write the same rows: no lock ends it, and no row is lost."""

import threading
from functools import partial
from typing import Any

import psycopg
import pytest

from sink.postgres_comparison import SESSION
from sink.rebuild_tables import Finding
from tests.end_to_end.services import eventually
from tests.sink.changes import change
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import LAST_CHANGES, At, Workplace, findings, published, rows
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
FORGE = "update stripe.ticket set title = 'forged' where id = %s"
WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
    "and datname = current_database()"
)


def test_a_rebuild_while_the_sink_writes_ends_equal_to_a_table_never_rebuilt(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 300)
    sink().start()
    arrives(postgres, LAST_CHANGES, 300)
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


def test_rebuilds_while_the_sink_writes_all_the_time_end_equal_to_a_table_never_rebuilt(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    objects, rebuilds = 3_000, 4
    published(publisher, tickets, objects)
    sink().start()
    arrives(postgres, LAST_CHANGES, objects)
    enough, turns = threading.Event(), [10]

    def keep_changing() -> None:
        with psycopg.connect(workplace.site.database_url, autocommit=True) as reader:
            while not enough.is_set():
                at = turns[-1]
                some = [change(f"o{n:05}", at, title=f"v{at}") for n in range(at % 7, objects, 7)]
                new = [change(f"new {at} {n:04}", at, title="new") for n in range(50)]
                publisher.publish("ticket", tickets, [*some, *new])
                # At the sink's pace: a topic that grows faster is read for longer and longer.
                count = f"select count(*) from stripe.ticket where id like 'new {at} %'"
                arrives(reader, count, len(new))
                turns.append(at + 1)

    def until_more_is_written() -> None:
        seen = turns[-1]
        eventually(
            lambda: turns[-1] > seen + 1,
            seconds_max=ARRIVE_SECONDS_MAX,
            what="the sink writes meanwhile",
        )

    thread = threading.Thread(target=keep_changing)
    thread.start()
    try:
        for moment in ("comparing", "repairing") * (rebuilds // 2):
            forge_some(postgres)
            report = workplace.rebuild("ticket", steps=At(moment, until_more_is_written))
            assert not report.incomplete
    finally:
        enough.set()
        thread.join()
    # The last ones of every partition.
    publisher.publish("ticket", tickets, [change(f"end{n}", 1, title="end") for n in range(10)])
    arrives(postgres, "select count(*) from stripe.ticket where title = 'end'", 10)
    assert findings(workplace.verify("ticket")) == {}
    assert workplace.said("rebuild", "ticket", "--into", "never_rebuilt")[0] == 0
    assert rows(postgres) == rows(postgres, "never_rebuilt.ticket")


def forge_some(postgres: Session) -> None:
    """Make rows wrong, missing and ahead, at once: whoever writes in no order may deadlock."""
    with postgres.transaction():
        postgres.execute("lock table stripe.ticket in share row exclusive mode")
        postgres.execute("update stripe.ticket set title = 'forged' where id like 'o%3'")
        postgres.execute("delete from stripe.ticket where id like 'o%5'")
        postgres.execute(
            "update stripe.ticket set _event_at = _event_at + interval '1 second' "
            "where id like 'o%8'"
        )


def test_a_change_that_a_forged_time_kept_out_during_a_rebuild_is_in_its_row(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 10)
    sink().start()
    arrives(postgres, LAST_CHANGES, 10)
    postgres.execute(
        "update stripe.ticket set _event_at = now() + interval '1 year' where id = 'o00003'"
    )
    postgres.execute(
        "insert into stripe.ticket (id, _event_at, _operation, _source, _received_at) "
        "values ('forged', now(), 'updated', 'webhook', now())"
    )

    def others_change() -> None:
        late = [change("o00003", 50, title="late"), change("forged", 50, title="late")]
        others = [change(f"end{n}", 1, title="end") for n in range(10)]
        publisher.publish("ticket", tickets, [*late, *others])
        arrives(postgres, "select count(*) from stripe.ticket where title = 'end'", 10)
        assert first(postgres, "select count(*) from stripe.ticket where title = 'late'") == 0

    report = workplace.rebuild("ticket", steps=At("repairing", others_change))
    assert findings(report) == {Finding.AHEAD: 1, Finding.EXTRA: 1}
    assert first(postgres, "select count(*) from stripe.ticket where title = 'late'") == 2
    assert findings(workplace.verify("ticket")) == {}


def test_rows_are_put_right_in_the_order_in_which_the_sink_locks_them(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    names = ["a", "B", "b", "C", "é"]
    publisher.publish("ticket", tickets, [change(name, 1, title="t") for name in names])
    workplace.rebuild("ticket")
    # As it is in a database of that collation, where B stands behind b.
    postgres.execute('alter table stripe.ticket alter column id type text collate "en-x-icu"')
    postgres.execute("update stripe.ticket set title = 'forged'")
    seen: list[str] = []

    def look() -> None:
        difference = 'stripe."_rebuild_ticket_difference"'
        seen.extend(first(postgres, f"select array_agg(id order by number) from {difference}"))

    workplace.rebuild("ticket", steps=At("repairing", look))
    assert seen == sorted(names, key=str.encode) != names
    assert not workplace.verify("ticket").differs


def test_a_rebuild_waits_for_rows_that_somebody_else_has_locked(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soon = f"{SESSION} set lock_timeout to '50ms';"
    monkeypatch.setattr("sink.postgres_comparison.SESSION", soon)
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute(FORGE, ["o00003"])
    pauses: list[float] = []
    with psycopg.connect(workplace.site.database_url) as other:

        def lock() -> None:
            other.execute("select from stripe.ticket where id = 'o00003' for update")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            other.rollback()

        report = workplace.rebuild("ticket", steps=At("repairing", lock), pause=pause)
    assert (findings(report), report.incomplete) == ({Finding.WRONG: 1}, False)
    assert len(pauses) == 1
    assert not workplace.verify("ticket").differs


def test_a_rebuild_that_widens_waits_for_who_reads_the_table(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute("alter table stripe.ticket drop column amount")
    pauses: list[float] = []
    with psycopg.connect(workplace.site.database_url) as reader:
        reader.execute("select from stripe.ticket")

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            reader.rollback()

        report = workplace.rebuild("ticket", pause=pause)
    assert (findings(report), len(pauses)) == ({Finding.WRONG: 9}, 1)
    assert not workplace.verify("ticket").differs


def test_a_rebuild_that_is_the_victim_of_a_deadlock_goes_on(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute("update stripe.ticket set title = 'forged'")
    pauses: list[float] = []
    with psycopg.connect(workplace.site.database_url) as other:
        # The rebuild, which waits for a lock first, is the one that finds the deadlock.
        other.execute("set deadlock_timeout to '1min'")
        other.commit()

        def against_the_order() -> None:
            eventually(
                lambda: bool(first(postgres, WAITING) == 1),
                seconds_max=ARRIVE_SECONDS_MAX,
                what="the rebuild waits for the last row",
            )
            other.execute(FORGE, ["o00001"])
            other.rollback()

        thread = threading.Thread(target=against_the_order)

        def lock() -> None:
            other.execute(FORGE, ["o00009"])
            thread.start()

        report = workplace.rebuild("ticket", steps=At("repairing", lock), pause=pauses.append)
        thread.join()
    assert (findings(report), report.incomplete) == ({Finding.WRONG: 10}, False)
    assert pauses
    assert not workplace.verify("ticket").differs


def test_the_settings_of_a_rebuild_hold_from_the_comparison_on(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    # A trigger runs in the session that puts rows right.
    for statement in (
        "create table seen (name text, value text)",
        "create function look() returns trigger language plpgsql as $$ begin "
        "insert into seen select name, setting from pg_settings where name in "
        "('statement_timeout', 'work_mem', 'client_connection_check_interval'); "
        "return new; end $$",
    ):
        postgres.execute(statement.encode())
    workplace.rebuild("ticket")
    postgres.execute(FORGE, ["o00003"])
    postgres.execute(
        "create trigger look before update on stripe.ticket for each row execute function look()"
    )
    workplace.rebuild("ticket")
    found = postgres.execute("select distinct name, value from seen order by name").fetchall()
    assert found == [
        ("client_connection_check_interval", "1000"),
        ("statement_timeout", "0"),
        ("work_mem", str(256 * 1024)),
    ]
