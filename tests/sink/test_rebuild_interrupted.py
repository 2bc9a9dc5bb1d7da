"""A rebuild that is killed, run beside another one, or shared between processes."""

import multiprocessing
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from sink.errors import PostgresRefused, RebuildTaken
from sink.rebuild_tables import Finding
from tests.end_to_end.services import eventually
from tests.sink.changes import change
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import (
    LAST_CHANGES,
    At,
    Steps,
    Workplace,
    findings,
    only,
    published,
    rows,
)
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
KILLS = 10
MANY = 12_000
"""Objects: their changes are more than one process reads alone."""
WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
    "and datname = current_database()"
)
HOLDS = {
    "reading": "create trigger hold before update on stripeline.rebuild_progress "
    "for each row execute function hold()",
    "having read a half": "create trigger hold before update on stripeline.rebuild_progress "
    "for each row when (new.partition = 1) execute function hold()",
    "comparing": "lock table stripe.ticket in access exclusive mode",
    "applying": "create trigger hold before update on stripe.ticket "
    "for each row when (new.id = 'o08000') execute function hold()",
}
"""What keeps a rebuild from going on, at a moment of its own."""


@contextmanager
def held(workplace: Workplace, postgres: Session, hold: str) -> Iterator[None]:
    """A rebuild comes to where it is held, and no further."""
    with psycopg.connect(workplace.site.database_url) as holder:
        holder.execute("select pg_advisory_xact_lock(1)")
        (holder if hold.startswith("lock") else postgres).execute(hold.encode())
        yield
        holder.rollback()
        for table in ("stripe.ticket", "stripeline.rebuild_progress"):
            postgres.execute(f"drop trigger if exists hold on {table}".encode())


def kill_when_held(process: "subprocess.Popen[str]", postgres: Session) -> None:
    """Kill a rebuild so that it cannot do anything about it."""
    eventually(
        lambda: bool(first(postgres, WAITING) > 0),
        seconds_max=ARRIVE_SECONDS_MAX,
        what="the rebuild is held",
    )
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def holding(workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int) -> None:
    """A table that needs a rebuild, of a topic that one process does not read alone."""
    published(publisher, tickets, MANY)
    workplace.rebuild("ticket")
    postgres.execute(
        "create function hold() returns trigger language plpgsql as "
        "$$ begin perform pg_advisory_xact_lock_shared(1); return new; end $$"
    )


@pytest.mark.usefixtures("holding")
def test_a_rebuild_killed_ten_times_while_it_reads_compares_and_applies_ends_right(
    workplace: Workplace, postgres: Session
) -> None:
    right = rows(postgres)
    postgres.execute("update stripe.ticket set title = 'forged'")
    postgres.execute("delete from stripe.ticket where id < 'o01000'")
    for kill in range(KILLS):
        moment, hold = list(HOLDS.items())[kill % len(HOLDS)]
        if moment == "reading":
            # Else there is nothing left to read after the first time.
            postgres.execute("drop table if exists stripe._rebuild_ticket_rows")
        with held(workplace, postgres, hold), workplace.command("rebuild", "ticket") as process:
            kill_when_held(process, postgres)
    code, told = workplace.said("rebuild", "ticket")
    assert code == 0, told
    assert rows(postgres) == right
    assert first(postgres, "select count(*) from stripeline.rebuild_progress") == 0


@pytest.mark.usefixtures("holding")
def test_processes_end_with_the_rebuild_that_started_them(
    workplace: Workplace, postgres: Session
) -> None:
    with (
        held(workplace, postgres, HOLDS["reading"]),
        workplace.command("rebuild", "ticket") as process,
    ):
        eventually(
            lambda: bool(first(postgres, WAITING) == 2),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="both processes are held",
        )
        started = {pid for pid, parent in running() if parent == process.pid}
        kill_when_held(process, postgres)
        assert len(started) >= 2
        eventually(
            lambda: started.isdisjoint(pid for pid, _parent in running()),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="its processes have ended",
        )
    code, told = workplace.said("rebuild", "ticket")
    assert code == 0, told
    assert not workplace.verify("ticket").differs


def running() -> list[tuple[int, int]]:
    """Each process that is no zombie, and its parent."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    found = [line.split() for line in listed if line]
    return [(int(pid), int(parent)) for pid, parent, state in found if not state.startswith("Z")]


def test_several_processes_read_what_one_does(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sink.filling.SEVERAL_RECORDS_MIN", 10)
    children: set[int | None] = set()

    class Counting(Steps):
        def passed(self, _offsets: int) -> None:
            children.update(one.pid for one in multiprocessing.active_children())

        def comparing(self, _table: str) -> None:
            # Only now this process may read by itself: what was published meanwhile.
            monkeypatch.undo()

    def not_here(*_arguments: Any, **_named: Any) -> None:
        raise AssertionError("the topic is read in this process")

    monkeypatch.setattr("sink.filling.batches", not_here)
    published(publisher, tickets, 500)
    for number, missing in enumerate((500, 499), 1):
        report = workplace.rebuild("ticket", processes=2, steps=Counting())
        assert len(children) == 2 * number
        assert report.records == 1_001
        assert findings(report) == {Finding.MISSING: missing}
        # The first time the tables were empty, the second time there is something to compare.
        postgres.execute("delete from stripe.ticket where id <> 'o00001'")
    assert findings(workplace.verify("ticket")) == {Finding.MISSING: 499}


def test_an_empty_table_is_filled_without_a_shadow(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 20)

    class NoShadow(Steps):
        def comparing(self, _table: str) -> None:
            raise AssertionError("there is nothing to compare")

    report = workplace.rebuild("ticket", steps=NoShadow())
    assert findings(report) == {Finding.MISSING: 20}
    assert (report.records, only(report).keys, only(report).same) == (41, 20, 0)
    assert first(postgres, "select count(*) from stripe.ticket where _deleted_at is null") == 19
    assert not workplace.verify("ticket").differs


def test_a_fill_that_was_interrupted_is_compared_the_next_time(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sink.filling.BATCH_BYTES_MAX", 1)
    published(publisher, tickets, 20)

    class InTheMiddle(Steps):
        def passed(self, _offsets: int) -> None:
            interrupted()

    with pytest.raises(KeyboardInterrupt):
        workplace.rebuild("ticket", steps=InTheMiddle())
    there = first(postgres, "select count(*) from stripe.ticket")
    assert 0 < there <= 20
    compared: list[str] = []

    class Noting(Steps):
        def comparing(self, table: str) -> None:
            compared.append(table)

    workplace.rebuild("ticket", steps=Noting())
    assert compared == ["ticket"]
    assert first(postgres, "select count(*) from stripe.ticket") == 20
    assert not workplace.verify("ticket").differs


def test_what_a_process_failed_of_is_told(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sink.filling.SEVERAL_RECORDS_MIN", 10)
    published(publisher, tickets, 500)
    assert findings(workplace.verify("ticket")) == {Finding.MISSING: 500}
    refuse = "raise exception 'the disk is full' using errcode = 'disk_full'"
    for statement in (
        f"create function fail() returns trigger language plpgsql as $$ begin {refuse}; end $$",
        "create trigger fail before update on stripeline.rebuild_progress "
        "for each row execute function fail()",
    ):
        postgres.execute(statement.encode())
    with pytest.raises(PostgresRefused) as refused:
        workplace.rebuild("ticket", processes=2)
    assert refused.value.sqlstate == "53100"


def test_an_interrupted_rebuild_goes_on_where_it_stood(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 20)
    workplace.rebuild("ticket")
    postgres.execute("delete from stripe.ticket where id <> 'o00001'")
    with pytest.raises(KeyboardInterrupt):
        workplace.rebuild("ticket", steps=At("comparing", interrupted))
    passed: list[int] = []

    class Counting(Steps):
        def passed(self, *offsets: int) -> None:
            passed.extend(offsets)

    publisher.publish("ticket", tickets, [change("new", 1)])
    report = workplace.rebuild("ticket", steps=Counting())
    assert report.records == 42
    assert findings(report) == {Finding.MISSING: 20}
    assert first(postgres, "select count(*) from stripe.ticket") == 21
    assert sum(passed) < 40


def interrupted() -> None:
    raise KeyboardInterrupt


def test_what_the_sink_has_not_written_yet_is_no_difference(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    published(publisher, tickets, 10)
    service = sink().start()
    arrives(postgres, LAST_CHANGES, 10)
    service.stop()
    published(publisher, tickets, 12, at=30)
    assert not workplace.verify("ticket").differs
    # A rebuild reads what the sink has not written yet, and is stopped before it has applied it.
    with pytest.raises(KeyboardInterrupt):
        workplace.rebuild("ticket", steps=At("comparing", interrupted))
    assert findings(workplace.verify("ticket")) == {}
    assert findings(workplace.rebuild("ticket")) == {Finding.BEHIND: 10, Finding.MISSING: 2}


def test_two_rebuilds_of_one_table_do_not_run_at_once(
    workplace: Workplace, publisher: Publisher, tickets: int
) -> None:
    published(publisher, tickets, 10)

    def meanwhile() -> None:
        with pytest.raises(RebuildTaken):
            workplace.verify("ticket")

    workplace.rebuild("ticket", steps=At("comparing", meanwhile))
