"""Tables in a real Postgres: made, widened, adopted, refused; by a role without any privilege."""

import threading
from typing import Any

import psycopg
import pytest

from sink.batch import Partition
from sink.errors import PostgresRefused, TableDiffers, rule_of
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import JSONB, TEXT, TICKET, TIMESTAMP, Workshop, change, schema_of
from tests.sink.writing import Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
OTHER = Partition("t.ticket", 1)


def columns_of(postgres: Session, table: str) -> dict[str, str]:
    return dict(
        postgres.execute(
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            [table],
        ).fetchall()
    )


def test_a_table_is_made_from_the_schema_of_its_first_record(
    database: PostgresDatabase, postgres: Session
) -> None:
    schema = schema_of({**TICKET, "trial_end": TIMESTAMP}, stripe_object="subscription")
    hand = Hand(database, Workshop(schemas={1: schema}), partition=Partition("t.subscription", 0))
    hand.write([change("a", 1, trial_end=0)])
    assert columns_of(postgres, "stripe.subscription") == {
        "id": "text",
        "title": "text",
        "customer_id": "text",
        "body": "jsonb",
        "amount": "bigint",
        "trial_end": "timestamp with time zone",
        "extra": "jsonb",
        "_event_at": "timestamp with time zone",
        "_event_id": "text",
        "_event_type": "text",
        "_operation": "text",
        "_source": "text",
        "_api_version": "text",
        "_account_id": "text",
        "_received_at": "timestamp with time zone",
        "trial_ends": "timestamp with time zone",
        "_synced_at": "timestamp with time zone",
        "_deleted_at": "timestamp with time zone",
    }
    told = postgres.execute(
        "select trial_ends = trial_end, col_description('stripe.subscription'::regclass, 2) "
        "from stripe.subscription"
    )
    assert told.fetchone() == (True, "The title.")
    indexed = postgres.execute("select indexdef from pg_indexes where schemaname = 'stripe'")
    assert sorted(row[0].rsplit(" ", 1)[1] for row in indexed) == ["(customer_id)", "(id)"]


def test_a_new_field_widens_the_table_and_a_dropped_one_stays(
    database: PostgresDatabase, postgres: Session
) -> None:
    newer = {"title": TEXT, "later": JSONB}
    hand = Hand(database, Workshop(schemas={1: schema_of(TICKET), 2: schema_of(newer)}))
    hand.write([change("a", 1, amount=7)])
    hand.write([change("b", 1, later="{}")], schema_id=2)
    hand.write([change("c", 1, amount=8)], schema_id=1)
    rows = postgres.execute("select id, amount, later from stripe.ticket order by id")
    assert rows.fetchall() == [("a", 7, None), ("b", None, {}), ("c", 8, None)]
    kept = postgres.execute(
        "select since_schema_id from stripeline.kept_column "
        "where column_name in ('amount', 'later') order by column_name"
    )
    assert kept.fetchall() == [(1,), (2,)]


def test_a_sink_that_takes_a_partition_over_learns_of_columns_that_another_added(
    database: PostgresDatabase, database_url: str, postgres: Session
) -> None:
    workshop = Workshop(schemas={1: schema_of(TICKET), 2: schema_of({**TICKET, "later": TEXT})})
    first = Hand(database, workshop)
    first.write([change("a", 1)])
    other = PostgresDatabase(database_url, schema="stripe")
    Hand(other, workshop).write([change("a", 2, later="new")], schema_id=2)
    other.close()
    Hand(database, workshop).write([change("a", 3)], schema_id=1)
    assert postgres.execute("select later from stripe.ticket").fetchone() == (None,)


def test_sinks_that_make_one_table_at_once_do_not_crash(
    database_url: str, postgres: Session
) -> None:
    count = 4
    start = threading.Barrier(count)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        database = PostgresDatabase(database_url, schema="stripe")
        try:
            database.migrate()
            hand = Hand(database, partition=Partition("t.ticket", number))
            start.wait()
            hand.write([change(f"o{number}", 1)])
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert postgres.execute("select count(*) from stripe.ticket").fetchone() == (count,)


def test_a_table_that_fits_is_adopted(database: PostgresDatabase, postgres: Session) -> None:
    postgres.execute("create schema stripe")
    postgres.execute("create table stripe.ticket (id text primary key, title text, note text)")
    Hand(database).write([change("a", 1, title="one")])
    assert postgres.execute("select title, note, amount from stripe.ticket").fetchall() == [
        ("one", None, None)
    ]


@pytest.mark.parametrize(
    ("existing", "said"),
    [
        ("create table stripe.ticket (id text primary key, amount text)", "amount .* is text"),
        ("create table stripe.ticket (id text)", r"primary key \(none\)"),
        ("create table stripe.ticket (id text, n int, primary key (id, n))", r"\(id, n\)"),
        ("create view stripe.ticket as select 1 as id", "no ordinary table"),
        ("create table stripe.ticket (id text) partition by list (id)", "no ordinary table"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_what_to_do(
    database: PostgresDatabase, postgres: Session, existing: str, said: str
) -> None:
    postgres.execute("create schema stripe")
    postgres.execute(existing)
    with pytest.raises(TableDiffers, match=said):
        Hand(database).write([change("a", 1)])


def test_a_dropped_table_is_made_again_when_the_sink_looks(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database)
    hand.write([change("a", 1)])
    postgres.execute("drop table stripe.ticket")
    with pytest.raises(PostgresRefused) as refused:
        hand.write([change("b", 1)])
    assert rule_of(refused.value.sqlstate).look_again
    database.look_again()
    hand.write([change("b", 1)])
    assert postgres.execute("select id from stripe.ticket").fetchall() == [("b",)]


def test_an_unknown_type_gets_its_generic_table(
    database: PostgresDatabase, postgres: Session
) -> None:
    generic = schema_of({"object": TEXT, "created": TIMESTAMP}, stripe_object="new.thing")
    hand = Hand(database, Workshop(schemas={1: generic}), partition=Partition("t.new_thing", 0))
    hand.write([change("a", 1, object="new.thing", extra='{"colour": "blue"}')])
    told = postgres.execute("select object, extra ->> 'colour' from stripe.new_thing")
    assert told.fetchone() == ("new.thing", "blue")


@pytest.mark.parametrize("owner_of", ["database", "schemas"])
def test_a_role_without_superuser_is_enough(
    database_url: str, postgres: Session, owner_of: str
) -> None:
    role = f"sink_{postgres.info.dbname}"
    postgres.execute(f"create role {role} login password '{role}'")
    try:
        if owner_of == "database":
            postgres.execute(f"grant create on database {postgres.info.dbname} to {role}")
        else:
            for schema in ("stripe", "stripe_connect", "stripeline"):
                postgres.execute(f"create schema {schema} authorization {role}")
        url = psycopg.conninfo.make_conninfo(database_url, user=role, password=role)
        database = PostgresDatabase(url, schema="stripe")
        database.migrate()
        Hand(database).write([change("a", 1), change("a", 1, _account_id="acct_1")])
        database.close()
        assert postgres.execute("select count(*) from stripe_connect.ticket").fetchone() == (1,)
    finally:
        postgres.execute(f"drop owned by {role} cascade")
        postgres.execute(f"drop role {role}")


def test_a_missing_right_is_told_and_is_no_records_fault(
    database_url: str, database: PostgresDatabase, postgres: Session
) -> None:
    role = f"sink_{postgres.info.dbname}"
    Hand(database).write([change("a", 1)])
    postgres.execute(f"create role {role} login password '{role}'")
    try:
        postgres.execute(f"grant usage on schema stripe, stripeline to {role}")
        postgres.execute(f"grant all on all tables in schema stripeline to {role}")
        postgres.execute(f"grant select on stripe.ticket to {role}")
        other = PostgresDatabase(
            psycopg.conninfo.make_conninfo(database_url, user=role, password=role), schema="stripe"
        )
        with pytest.raises(PostgresRefused) as refused:
            Hand(other).write([change("b", 1)])
        other.close()
        assert refused.value.sqlstate == "42501"
    finally:
        postgres.execute(f"drop owned by {role} cascade")
        postgres.execute(f"drop role {role}")
