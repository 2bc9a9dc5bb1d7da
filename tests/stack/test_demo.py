"""The demo shows rows that say what Stripe says, and notices when they do not."""

import random
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb
from rich.console import Console

from simulator.server import Simulator
from stack.demo_rows import COMPARED, Rows, Trial
from stack.demo_screen import Screen, addresses_lines, trials_table
from stack.demo_stripe import ORGANISATIONS, Object, Stripe, change_something, furnish

TABLES = """
create schema stripe;
create table stripe.product (id text primary key, name text, active boolean);
create table stripe.price (
    id text primary key, product_id text, currency text, unit_amount bigint
);
create table stripe.customer (id text primary key, name text, email text);
create table stripe.subscription (
    id text primary key, customer_id text, status text, metadata jsonb, pause_collection jsonb,
    trial_end timestamptz, trial_ends timestamptz generated always as (trial_end) stored
);
"""


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    """A simulated Stripe that sends no webhooks."""
    with Simulator() as simulator:
        client = Stripe(base=simulator.url, key="sk_test_demo")
        yield client
        client.close()


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    found = Rows(database_url)
    yield found
    found.close()


def copy_rows(stripe: Stripe, database_url: str) -> None:
    """Do the services' work by hand: every object becomes its row."""
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLES)
        for compared in COMPARED:
            for body in stripe.listed(compared.path, **compared.parameters):
                insert(connection, compared.table, compared.columns, body)


def insert(
    connection: psycopg.Connection, table: str, columns: tuple[str, ...], body: Object
) -> None:
    values = [body[column.removesuffix("_id")] for column in columns]
    places = ["to_timestamp(%s)" if column == "trial_end" else "%s" for column in columns]
    connection.execute(
        f"insert into stripe.{table} (id, {', '.join(columns)}) values (%s, {', '.join(places)})",
        [body["id"], *(Jsonb(v) if isinstance(v, dict) else v for v in values)],
    )


@pytest.mark.stack
def test_rows_that_say_what_stripe_says_differ_in_nothing(
    stripe: Stripe, rows: Rows, database_url: str
) -> None:
    furnish(stripe)
    copy_rows(stripe, database_url)
    assert rows.differences(stripe) == []


@pytest.mark.stack
def test_without_tables_every_object_is_missing(stripe: Stripe, rows: Rows) -> None:
    furnish(stripe)
    assert len(rows.differences(stripe)) == 2 + 2 + 2 * len(ORGANISATIONS)


@pytest.mark.stack
@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("subscription", "update {} set status = 'active' where status = 'canceled'"),
        ("subscription", "update {} set trial_end = trial_end + '1 s' where status = 'canceled'"),
        ("customer", "delete from {} where name = 'Cedar Labs'"),
        ("product", "insert into {} values ('prod_of_nobody')"),
    ],
)
def test_one_wrong_row_is_found(
    stripe: Stripe, rows: Rows, database_url: str, table: str, statement: str
) -> None:
    furnish(stripe)
    copy_rows(stripe, database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.format(f"stripe.{table}"))
    (difference,) = rows.differences(stripe)
    assert difference.startswith(f"{table} ")


@pytest.mark.stack
def test_the_trial_query_shows_each_organisation_once(
    stripe: Stripe, rows: Rows, database_url: str
) -> None:
    organisations = furnish(stripe)
    copy_rows(stripe, database_url)
    rows.keep(organisations)
    trials = rows.trials()
    assert [(trial.organisation, trial.customer) for trial in trials] == [
        (organisation.name, organisation.stripe_id) for organisation in organisations
    ]
    assert [(trial.platform, trial.status) for trial in trials] == [
        ("web", "trialing"),
        ("android", "trialing"),
        ("android", "trialing"),
        ("macos", "trialing"),
        ("web", "canceled"),
    ]
    assert trials[0].days_left == pytest.approx(14, abs=0.01)


@pytest.mark.stack
def test_a_change_has_arrived_when_its_row_says_it(
    stripe: Stripe, rows: Rows, database_url: str
) -> None:
    furnish(stripe)
    copy_rows(stripe, database_url)
    changed = change_something(stripe, random.Random(3))
    assert changed is not None
    assert len(rows.differences(stripe)) == 1
    assert not rows.says(changed.subscription)
    with psycopg.connect(database_url) as connection:
        connection.execute("drop schema stripe cascade")
    copy_rows(stripe, database_url)
    assert rows.says(changed.subscription)


@pytest.mark.parametrize("seed", range(6))
def test_every_change_changes_the_subscription(stripe: Stripe, seed: int) -> None:
    furnish(stripe)
    before = {one["id"]: one for one in stripe.listed("/v1/subscriptions", status="all")}
    changed = change_something(stripe, random.Random(seed))
    assert changed is not None
    after = changed.subscription
    compared = ("status", "metadata", "pause_collection", "trial_end")
    assert [before[after["id"]][name] for name in compared] != [after[name] for name in compared]


@pytest.mark.stack
def test_off_a_terminal_each_change_is_one_line(
    stripe: Stripe, rows: Rows, database_url: str
) -> None:
    rows.keep(furnish(stripe))
    copy_rows(stripe, database_url)
    console = Console(force_terminal=False, record=True, width=160)
    with Screen(console) as screen:
        screen.show(rows.trials())
        screen.show(rows.trials(), change="sub_1  collection paused: row after 41 ms")
    hint, line = console.export_text().splitlines()
    assert hint.startswith("Ctrl-C")
    assert line.endswith("sub_1  collection paused: row after 41 ms")


@pytest.mark.stack
def test_on_a_terminal_the_table_stays_and_the_change_stands_below(
    stripe: Stripe, rows: Rows, database_url: str
) -> None:
    rows.keep(furnish(stripe))
    copy_rows(stripe, database_url)
    console = Console(force_terminal=True, record=True, width=160)
    with Screen(console) as screen:
        screen.show(rows.trials(), change="sub_1  collection paused: row after 41 ms")
    shown = console.export_text()
    assert "days_left_" in shown
    assert shown.index("Cedar Labs") < shown.index("collection paused")


def test_addresses_stand_below_each_other() -> None:
    shown = addresses_lines([("PostgreSQL", "psql 'postgresql://...'"), ("Kafka", "127.0.0.1:1")])
    assert shown.splitlines() == [
        "  PostgreSQL  psql 'postgresql://...'",
        "  Kafka       127.0.0.1:1",
    ]


def test_an_organisation_without_a_subscription_is_shown_with_empty_cells() -> None:
    console = Console(record=True, width=160)
    nothing = Trial(
        organisation="Fern Studio",
        platform=None,
        customer="cus_1",
        status=None,
        days_left=None,
        ends=None,
    )
    console.print(trials_table([nothing]))
    (row,) = [line for line in console.export_text().splitlines() if "Fern Studio" in line]
    assert row.split() == ["Fern", "Studio", "cus_1"]
