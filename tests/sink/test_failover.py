"""A standby promoted while the sink writes: rows and offsets move together."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.end_to_end.services import eventually
from tests.proxy import Line, Proxy
from tests.sink.changes import TICKET, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.servers import HOST, USER, Server, any_binaries, folders
from tests.sink.test_sink_process import ARRIVE_SECONDS_MAX, COUNT, DEAD, arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
TWICE = "select count(*) from (select 1 from written group by id, at having count(*) > 1) as x"
OFFSETS = "select sum(next_offset) from stripeline.partition_offset"
OBJECTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A primary and its standby, and the line between them."""

    primary: Server
    standby: Server
    replication: Proxy

    @property
    def url(self) -> str:
        """As a user writes it: whichever of the two takes writes."""
        hosts = ",".join(f"{HOST}:{one.port}" for one in (self.primary, self.standby))
        return f"postgresql://{USER}@{hosts}/postgres?target_session_attrs=read-write"

    def await_standby(self) -> None:
        """Wait until the standby has all that the primary has."""
        with (
            psycopg.connect(self.primary.url(), autocommit=True) as primary,
            psycopg.connect(self.standby.url(), autocommit=True) as standby,
        ):
            reached = first(primary, "select pg_current_wal_lsn()::text")
            eventually(
                lambda: bool(
                    first(standby, f"select pg_last_wal_replay_lsn() >= '{reached}'::pg_lsn")
                ),
                seconds_max=ARRIVE_SECONDS_MAX,
                what="the standby has followed",
            )


@contextmanager
def pair(tmp_path: Path) -> Iterator[Pair]:
    with folders(tmp_path) as make:
        primary = Server(any_binaries(), folder=make())
        primary.initialise()
        with Proxy(host=HOST, port=primary.port) as replication:
            standby = primary.standby(make(), primary=replication.address)
            try:
                primary.start()
                standby.start()
                yield Pair(primary=primary, standby=standby, replication=replication)
            finally:
                standby.stop()
                primary.stop()


def note_each_write(postgres: Session) -> None:
    """Count how often each version of each object is written."""
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


@pytest.mark.parametrize("lost", [False, True], ids=["nothing lost", "last transactions lost"])
def test_a_promoted_standby_loses_and_doubles_nothing(
    sink: SinkStarter, publisher: Publisher, tmp_path: Path, lost: bool
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))

    def publish(version: int) -> None:
        changes = [change(f"o{n}", version, title=f"v{version}") for n in range(OBJECTS)]
        publisher.publish("ticket", tickets, changes)

    def changed_once(version: int, name: str) -> None:
        publisher.publish("ticket", tickets, [change(name, version, title=f"v{version}")])

    with pair(tmp_path) as servers:
        with psycopg.connect(servers.primary.url(), autocommit=True) as postgres:
            note_each_write(postgres)
            service = sink(DATABASE_URL=servers.url, SINK_BATCH_RECORDS_MAX="40").start()
            publish(1)
            changed_once(1, "kept")
            arrives(postgres, COUNT, OBJECTS + 1)
            servers.await_standby()
            if lost:
                servers.replication.set(Line.CUT)
            # No later change hides what becomes of these two.
            changed_once(2, "kept")
            changed_once(2, "new")
            publish(2)
            written = "select count(*) from stripe.ticket where title = 'v2'"
            eventually(
                lambda: first(postgres, written) > 0,
                seconds_max=ARRIVE_SECONDS_MAX,
                what="the second version is being written",
            )
            if lost:
                arrives(postgres, written, OBJECTS + 2)
        servers.primary.stop(signal.SIGQUIT if lost else signal.SIGINT)
        servers.standby.promote()
        publish(3)
        with psycopg.connect(servers.standby.url(), autocommit=True) as postgres:
            arrives(postgres, "select count(*) from stripe.ticket where title = 'v3'", OBJECTS)
            arrives(postgres, COUNT, OBJECTS + 2)
            only_in_the_second = (
                "select array_agg(id || ' ' || title order by id) from stripe.ticket "
                "where id in ('kept', 'new')"
            )
            arrives(postgres, only_in_the_second, ["kept v2", "new v2"])
            assert first(postgres, TWICE) == 0
            assert first(postgres, DEAD) == 0
            stood = first(postgres, OFFSETS)
        assert service.stop() == 0
        assert publisher.committed("ticket") == stood
