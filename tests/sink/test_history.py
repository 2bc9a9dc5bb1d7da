"""Every change of chosen objects, kept with the time in which it was the newest."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from runtime.errors import ExitCode
from sink.batch import Batch
from sink.loader import Loader
from sink.postgres_database import PostgresDatabase
from tests.infrastructure import Infrastructure
from tests.sink.changes import EPOCH, TEXT, TICKET, Workshop, batch_of, change, schema_of
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


@pytest.fixture
def filled(stack: Infrastructure, namespace: str, database_url: str, publisher: Publisher) -> Any:
    """A topic with a life, and the table and history that were made from it."""
    publisher.make_topic(publisher.names.object_topic("ticket"))
    tickets = publisher.register("ticket", schema_of(TICKET))
    publisher.publish("ticket", tickets, LIFE)
    workplace = Workplace(stack, namespace=namespace, database_url=database_url)
    workplace.rebuild("ticket")
    replay(workplace)
    return workplace


def replay(workplace: Workplace) -> None:
    code, told = workplace.said("replay", "ticket", "--from", "0", HISTORY="ticket")
    assert code == 0, told


def test_a_history_is_filled_from_what_the_topic_still_holds(
    filled: Workplace, postgres: Session
) -> None:
    assert spans(postgres) == WANTED
    before = rows(postgres)
    replay(filled)
    assert rows(postgres) == before


def test_a_history_that_was_dropped_is_made_again_from_the_topic(
    filled: Workplace, postgres: Session
) -> None:
    before = rows(postgres)
    postgres.execute("drop table stripe_history.ticket cascade")
    replay(filled)
    assert rows(postgres) == before
    assert first(postgres, "select count(*) from stripe_history.ticket_at(now())") == 2


def test_a_wrong_history_row_is_put_right_by_a_replay(
    filled: Workplace, postgres: Session
) -> None:
    before = rows(postgres)
    postgres.execute(
        "update stripe_history.ticket set title = 'forged', amount = null, changed = '{body}', "
        "valid_to = now() where title = 'second'"
    )
    assert rows(postgres) != before
    replay(filled)
    assert rows(postgres) == before


def test_a_replay_writes_no_history_row_that_is_right(
    database: PostgresDatabase, postgres: Session
) -> None:
    historian = Historian(database)
    historian.write(LIFE)
    synced = "select max(_synced_at) from stripe_history.ticket"
    before = first(postgres, synced)
    historian.write(LIFE)
    assert first(postgres, synced) == before


@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_history_of_what_is_no_object_is_refused_with_what_there_is(
    stack: Infrastructure,
    namespace: str,
    database_url: str,
    publisher: Publisher,
    sink: SinkStarter,
    command: str,
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    wrong = "checkout.session,ticket,subscripton"
    if command == "run":
        service = sink(HISTORY=wrong)
        service.launch()
        code, told = service.wait(), service.log()
    else:
        workplace = Workplace(stack, namespace=namespace, database_url=database_url)
        code, told = workplace.said("replay", "ticket", "--from", "0", HISTORY=wrong)
    told = " ".join(told.split())
    assert code == ExitCode.WRONG_USAGE, told
    assert "HISTORY names subscripton, and" in told
    assert "Did you mean subscription?" in told
    assert "checkout.session, " in told
    assert "ticket" in told


def test_histories_are_written_after_the_rows_whose_locks_put_them_in_order() -> None:
    load = (
        Workshop()
        .loader(history=["ticket"])
        .load(batch_of(Workshop().records([*LIFE, change("a", 1, _account_id="acct_1")])))
    )
    assert [(str(table.name), table.history) for table in load.tables] == [
        ("stripe.ticket", False),
        ("stripe_connect.ticket", False),
        ("stripe_connect_history.ticket", True),
        ("stripe_history.ticket", True),
    ]


WAITING = "select count(*) from pg_locks where not granted and pid <> pg_backend_pid()"
GATE = 77


@pytest.mark.parametrize("order", [(2, 1), (1, 2)], ids=["late first", "early first"])
def test_a_replay_beside_the_sink_comes_to_an_objects_history_after_it(
    database: PostgresDatabase, database_url: str, postgres: Session, order: tuple[int, int]
) -> None:
    """Both are held up when they come to the history: only one of them gets there."""
    historian = Historian(database)
    historian.write([LIFE[0]])
    postgres.execute(
        f"create function gate() returns trigger language plpgsql as $$ begin "
        f"perform pg_advisory_xact_lock_shared({GATE}); return new; end $$"
    )
    postgres.execute(
        "create trigger gate before insert on stripe_history.ticket "
        "for each row execute function gate()"
    )
    postgres.execute(f"select pg_advisory_lock({GATE})")
    other = PostgresDatabase(database_url, schema="stripe")
    lives = [change("a", 10 * (step + 1), title=f"step {step}") for step in order]
    with ThreadPoolExecutor(2) as beside:
        writing = []
        for count, (writer, one) in enumerate(
            zip((historian, Historian(other)), lives, strict=True), 1
        ):
            writing.append(beside.submit(writer.write, [one]))
            arrives(postgres, WAITING, count)
        gated = f"{WAITING} and locktype = 'advisory'"
        assert first(postgres, gated) == 1
        postgres.execute(f"select pg_advisory_unlock({GATE})")
        for written in writing:
            written.result()
    other.close()
    assert [span[:2] for span in spans(postgres)] == [(10, 20), (20, 30), (30, None)]
