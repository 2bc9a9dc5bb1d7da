"""Every change of chosen objects, kept with the time in which it was the newest."""

import random
from typing import Any

import psycopg
import pytest

from sink.batch import Batch
from sink.loader import Loader
from sink.postgres_database import PostgresDatabase
from tests.infrastructure import Infrastructure
from tests.sink.changes import EPOCH, TEXT, TICKET, Workshop, change, schema_of
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace
from tests.sink.test_sink_process import arrives, first
from tests.sink.writing import TICKETS

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
EVERYTHING = (
    "select jsonb_agg(to_jsonb(t) - '_synced_at' order by _account_id, id, _event_at) "
    "from {table} as t"
)


def rows(postgres: Session, table: str = "stripe_history.ticket") -> Any:
    return first(postgres, EVERYTHING.format(table=table))


class Historian:
    """Writes batches with history, without Kafka."""

    def __init__(self, database: PostgresDatabase, workshop: Workshop | None = None) -> None:
        self._database = database
        self._workshop = workshop or Workshop()
        self._loader: Loader = self._workshop.loader(history=["ticket"])
        self._offset = 0

    def write(self, changes: list[dict[str, Any]], *, schema_id: int = 1) -> dict[str, int]:
        records = self._workshop.records(
            changes, schema_id=schema_id, first_offset=self._offset, topic=TICKETS.topic
        )
        self._offset += len(records)
        load = self._loader.load(Batch(records=records, fences={TICKETS: 1}))
        assert not load.dead
        return self._database.write(load, dead=(), steps={})


LIFE = [
    change("a", 10, operation="created", title="first", amount=1),
    change("b", 15, operation="created", title="other"),
    change("a", 20, title="second", amount=1),
    change("a", 30, title="second", amount=2, body='{"x": 1}'),
    change("a", 40, operation="deleted", title="second", amount=2, body='{"x": 1}'),
]


def spans(postgres: Session) -> list[tuple[int, int | None, list[str] | None]]:
    """Of the object `a`: from when, until when, and what changed."""
    micros = "(extract(epoch from {}) * 1000000)::bigint - {}"
    began, ended = (micros.format(column, EPOCH) for column in ("valid_from", "valid_to"))
    found = postgres.execute(
        f"select {began}, {ended}, changed from stripe_history.ticket where id = 'a' "
        "order by valid_from"
    )
    return [tuple(row) for row in found.fetchall()]


WANTED = [
    (10, 20, None),
    (20, 30, ["title"]),
    (30, 40, ["amount", "body"]),
    (40, None, []),
]


def test_every_change_is_kept_with_its_span_and_what_changed(
    database: PostgresDatabase, postgres: Session
) -> None:
    assert Historian(database).write(LIFE) == {"ticket": 2}
    assert spans(postgres) == WANTED


def test_the_table_as_it_was_at_any_time(database: PostgresDatabase, postgres: Session) -> None:
    Historian(database).write(LIFE)

    def at(micros: int) -> Any:
        return postgres.execute(
            "select array_agg(id || ' ' || title order by id), count(_deleted_at) "
            "from stripe_history.ticket_at(timestamptz 'epoch' + %s * interval '1 microsecond')",
            [EPOCH + micros],
        ).fetchone()

    assert at(9) == (None, 0)
    assert at(10) == (["a first"], 0)
    assert at(19) == (["a first", "b other"], 0)
    assert at(35) == (["a second", "b other"], 0)
    assert at(50) == (["a second", "b other"], 1)


@pytest.mark.parametrize("seed", range(5))
def test_any_batching_any_order_and_any_replay_ends_in_the_same_history(
    database: PostgresDatabase, postgres: Session, seed: int
) -> None:
    chance = random.Random(seed)
    historian = Historian(database)
    left = [*LIFE, *chance.choices(LIFE, k=4)]
    chance.shuffle(left)
    while left:
        count = chance.randint(1, 3)
        historian.write(left[:count])
        left = left[count:]
    assert spans(postgres) == WANTED
    before = rows(postgres)
    historian.write(LIFE)
    assert rows(postgres) == before


def test_accounts_with_one_id_have_histories_of_their_own(
    database: PostgresDatabase, postgres: Session
) -> None:
    theirs = [change("a", 12, _account_id="acct_1", title="theirs")]
    Historian(database).write([*LIFE, *theirs])
    assert spans(postgres) == WANTED
    theirs_kept = "select array_agg(title) from stripe_connect_history.ticket"
    assert first(postgres, theirs_kept) == ["theirs"]


def test_a_new_field_widens_the_history_too(database: PostgresDatabase, postgres: Session) -> None:
    wider = schema_of({**TICKET, "later": TEXT})
    historian = Historian(database, Workshop(schemas={1: schema_of(TICKET), 2: wider}))
    historian.write([change("a", 1, title="t")])
    historian.write([change("a", 2, title="t", later="new")], schema_id=2)
    found = postgres.execute(
        "select later, changed from stripe_history.ticket order by valid_from"
    )
    assert found.fetchall() == [(None, None), ("new", ["later"])]
    later = "select later from stripe_history.ticket_at(now())"
    assert first(postgres, later) == "new"


def test_history_is_exactly_once_after_a_replay(
    stack: Infrastructure,
    namespace: str,
    database_url: str,
    publisher: Publisher,
    postgres: Session,
    sink: SinkStarter,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    service = sink(HISTORY="ticket").start()
    for number, one in enumerate(LIFE):
        publisher.publish("ticket", tickets, [one])
        arrives(postgres, "select count(*) from stripe_history.ticket", number + 1)
    assert spans(postgres) == WANTED
    before = rows(postgres)
    postgres.execute("update stripeline.partition_offset set next_offset = 0")
    publisher.publish("ticket", tickets, [change("c", 1), change("d", 1), change("e", 1)])
    arrives(postgres, "select count(*) from stripe.ticket", 5)
    service.stop()
    kept = [row for row in rows(postgres) if row["id"] in "ab"]
    assert kept == before


def test_a_history_is_filled_from_what_the_topic_still_holds(
    stack: Infrastructure,
    namespace: str,
    database_url: str,
    publisher: Publisher,
    postgres: Session,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", tickets, LIFE)
    workplace = Workplace(stack, namespace=namespace, database_url=database_url)
    workplace.rebuild("ticket")
    for _ in range(2):
        code, told = workplace.said("replay", "ticket", "--from", "0", HISTORY="ticket")
        assert code == 0, told
        assert spans(postgres) == WANTED
