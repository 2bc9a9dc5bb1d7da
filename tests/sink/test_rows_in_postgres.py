"""Rows in a real Postgres: the guard, deletes, and two ways in that end in one table."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sink.errors import PostgresRefused
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    EPOCH,
    JSONB,
    NUMERIC,
    SECOND,
    TEXT,
    TICKET,
    TIMESTAMP,
    Workshop,
    change,
    schema_of,
)
from tests.sink.writing import MANY, Hand

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
EVERY_TYPE: Mapping[str, Mapping[str, Any]] = {
    "word": TEXT,
    "body": JSONB,
    "exact": NUMERIC,
    "share": DOUBLE,
    "amount": BIGINT,
    "good": BOOLEAN,
    "moment": TIMESTAMP,
}


def titles(postgres: Session) -> dict[str, str | None]:
    return dict(postgres.execute("select id, title from stripe.ticket").fetchall())


def fillers(count: int = MANY) -> list[dict[str, Any]]:
    """So many more rows that the batch goes through the temporary table."""
    return [change(f"filler{number:03}", 1) for number in range(count)]


@pytest.mark.parametrize("company", [[], fillers()], ids=["alone", "among many"])
def test_a_late_event_never_overwrites_a_newer_row(
    database: PostgresDatabase, postgres: Session, company: list[dict[str, Any]]
) -> None:
    hand = Hand(database)
    hand.write([change("a", 20, title="newer"), *company])
    hand.write([change("a", 10, title="older"), *company])
    hand.write([change("a", 20, title="same time"), *company])
    assert titles(postgres)["a"] == "newer"


@pytest.mark.parametrize("company", [[], fillers()], ids=["alone", "among many"])
def test_a_deleted_object_keeps_its_row_and_a_revived_one_is_as_before(
    database: PostgresDatabase, postgres: Session, company: list[dict[str, Any]]
) -> None:
    hand = Hand(database)
    shown = "select title, extract(epoch from _deleted_at) from stripe.ticket where id = 'a'"
    hand.write([change("a", 1, title="alive"), *company])
    assert postgres.execute(shown).fetchone() == ("alive", None)
    hand.write([change("a", 2 * SECOND, title="last known", operation="deleted"), *company])
    assert postgres.execute(shown).fetchone() == ("last known", Decimal(EPOCH // SECOND + 2))
    hand.write([change("a", 3 * SECOND, title="again", operation="created"), *company])
    assert postgres.execute(shown).fetchone() == ("again", None)


def test_a_row_remembers_nothing_of_an_earlier_record(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database, Workshop(schemas={1: schema_of(TICKET), 2: schema_of({"title": TEXT})}))
    hand.write([change("a", 1, title="one", amount=7, body='{"x": 1}')])
    hand.write([change("a", 2, title="two")], schema_id=2)
    row = postgres.execute("select title, amount, body from stripe.ticket").fetchone()
    assert row == ("two", None, None)


def test_a_column_that_somebody_else_added_is_left_alone(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database)
    hand.write([change("a", 1)])
    postgres.execute("alter table stripe.ticket add column note text")
    postgres.execute("update stripe.ticket set note = 'ours'")
    hand.write([change("a", 2, title="two")])
    assert postgres.execute("select title, note from stripe.ticket").fetchone() == ("two", "ours")


def test_rows_of_accounts_with_one_id_stay_apart(
    database: PostgresDatabase, postgres: Session
) -> None:
    Hand(database).write(
        [
            change("gold", 1, title="ours"),
            change("gold", 2, title="theirs", _account_id="acct_1"),
            change("gold", 3, title="others", _account_id="acct_2"),
        ]
    )
    assert titles(postgres) == {"gold": "ours"}
    theirs = postgres.execute("select _account_id, title from stripe_connect.ticket order by 1")
    assert theirs.fetchall() == [("acct_1", "theirs"), ("acct_2", "others")]


def test_a_written_row_tells_when(database: PostgresDatabase, postgres: Session) -> None:
    Hand(database).write([change("a", 1)])
    told = postgres.execute(
        "select _synced_at > now() - interval '1 minute', _synced_at <= now() from stripe.ticket"
    )
    assert told.fetchone() == (True, True)


def test_only_rows_that_changed_are_counted(database: PostgresDatabase) -> None:
    hand = Hand(database)
    assert hand.write([change("a", 1), change("b", 1)]) == {"ticket": 2}
    assert hand.write([change("a", 2), change("b", 1)]) == {"ticket": 1}
    assert hand.write([change("a", 3), *fillers()]) == {"ticket": MANY + 1}
    assert hand.write([change("a", 3), *fillers()]) == {"ticket": 0}


def histories() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Changes of a few objects of two accounts, each object's versions strictly rising."""
    keys = st.tuples(st.sampled_from("abc"), st.sampled_from([None, "acct_1"]))
    one = st.tuples(keys, st.sampled_from(["updated", "deleted", "created"]))

    def numbered(drawn: Sequence[tuple[tuple[str, str | None], str]]) -> list[dict[str, Any]]:
        return [
            change(key, at, operation=operation, title=f"v{at}", _account_id=account)
            for at, ((key, account), operation) in enumerate(drawn)
        ]

    return st.lists(one, min_size=1, max_size=20).map(numbered)


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    histories(),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.booleans()), max_size=5),
    st.randoms(use_true_random=False),
)
def test_any_batching_and_any_replay_ends_in_the_same_table(
    database: PostgresDatabase,
    postgres: Session,
    history: list[dict[str, Any]],
    replays: list[tuple[int, int, bool]],
    random: Any,
) -> None:
    for schema in ("stripe", "stripe_connect"):
        if postgres.execute("select to_regclass(%s)", [f"{schema}.ticket"]).fetchone() != (None,):
            postgres.execute(f"truncate {schema}.ticket")
    hand = Hand(database)
    for first, last, many in replays:
        part = history[first:last]
        random.shuffle(part)
        hand.write([*part, *(fillers() if many else [])])
    rest = list(history)
    while rest:
        size = random.randint(1, len(rest))
        hand.write(rest[:size])
        rest = rest[size:]
    newest = {(one["id"], one["_account_id"]): one for one in history}
    assert shown(postgres) == {
        key: (one["title"], one["_operation"], one["_operation"] == "deleted")
        for key, one in newest.items()
    }


def shown(postgres: Session) -> dict[tuple[str, str | None], tuple[Any, ...]]:
    """Both schemas' rows that no filler made."""
    found: dict[tuple[str, str | None], tuple[Any, ...]] = {}
    for schema in ("stripe", "stripe_connect"):
        if postgres.execute("select to_regclass(%s)", [f"{schema}.ticket"]).fetchone() == (None,):
            continue
        rows = postgres.execute(
            f"select id, _account_id, title, _operation, _deleted_at is not null "
            f"from {schema}.ticket where id not like 'filler%'"
        )
        found |= {(row[0], row[1]): tuple(row[2:]) for row in rows}
    return found


VALUES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "empty": {"word": "", "body": '""'},
    "json nulls": {"body": "null"},
    "words": {
        "word": "naïve 日本語 🦄 \t\r\n\\ \x01 '\"",
        "body": '{"ключ": "\\u00e9🦄\\ud83e\\udd84"}',
    },
    "nul": {"word": "a\x00b", "body": '{"a\\u0000": "\\u0000", "b": "\\\\u0000"}'},
    "largest": {
        "amount": 2**63 - 1,
        "exact": "123456789012345678901234567890.123456789012345678901234567890",
        "share": 1.7976931348623157e308,
        "good": True,
        "moment": 9_223_371_331_200_000_000 - 1,
    },
    "smallest": {
        "amount": -(2**63),
        "exact": "-0.000000000000000000001",
        "share": 5e-324,
        "good": False,
        "moment": -210_866_803_200_000_000,
    },
    "shares": {"share": 0.1 + 0.2, "exact": "12.50"},
    "no numbers": {"share": math.inf},
    "micros": {"moment": 1_750_000_000_123_456},
    "deep": {"body": "[" * 500 + "]" * 500},
    "long": {"word": "w" * 2_000_000, "body": json.dumps({"k": "v" * 1_000_000})},
    "big numbers in json": {"body": '{"n": 123456789012345678901234567890.10, "e": 1e400}'},
}


def test_every_value_is_the_same_through_both_ways(
    database: PostgresDatabase, postgres: Session
) -> None:
    hand = Hand(database, Workshop(schemas={1: schema_of(EVERY_TYPE)}))
    changes = [change(name, 1, **values) for name, values in VALUES.items()]
    for one in changes:
        hand.write([one])
    postgres.execute("create table alone as select * from stripe.ticket")
    postgres.execute("truncate stripe.ticket")
    hand.write([*changes, *fillers()])
    columns = "id, word, body::text, exact::text, share::text, amount, good, moment::text"
    differing = postgres.execute(
        f"(select {columns} from alone) except (select {columns} from stripe.ticket)"
    )
    assert differing.fetchall() == []
    count = postgres.execute("select count(*) from alone").fetchone()
    assert count == (len(VALUES),)


def test_every_value_is_what_was_sent(database: PostgresDatabase, postgres: Session) -> None:
    hand = Hand(database, Workshop(schemas={1: schema_of(EVERY_TYPE)}))
    hand.write([change(name, 1, **values) for name, values in VALUES.items()])

    def read(name: str, columns: str) -> tuple[Any, ...] | None:
        return postgres.execute(
            f"select {columns} from stripe.ticket where id = %s", [name]
        ).fetchone()

    assert read("nothing", "word, body, exact, share, amount, good, moment") == (None,) * 7
    assert read("empty", "word, body::text") == ("", '""')
    assert read("json nulls", "body::text") == ("null",)
    assert read("words", "word") == (VALUES["words"]["word"],)
    assert read("nul", "word, body ->> 'b'") == ("a\u2400b", "\\u0000")
    assert read("nul", "body ->> 'a\u2400'") == ("\u2400",)
    assert read("largest", "amount, exact, good") == (
        2**63 - 1,
        Decimal(VALUES["largest"]["exact"]),
        True,
    )
    assert read("largest", "share, extract(year from moment)") == (
        Decimal("1.7976931348623157e308"),
        294247,
    )
    assert read("smallest", "amount, share") == (-(2**63), Decimal("5e-324"))
    assert read("smallest", "moment::text") == ("4714-11-24 00:00:00+00 BC",)
    assert read("shares", "share, exact::text") == (Decimal("0.30000000000000004"), "12.50")
    assert read("micros", "extract(epoch from moment)") == (Decimal("1750000000.123456"),)
    assert read("big numbers in json", "body ->> 'n'") == ("123456789012345678901234567890.10",)


@pytest.mark.parametrize("company", [[], fillers()], ids=["alone", "among many"])
@pytest.mark.parametrize(
    ("column", "value", "sqlstate"),
    [
        ("body", "{", "22P02"),
        ("body", '"\\ud800"', "22P02"),
        ("id", None, "23502"),
    ],
)
def test_a_value_that_postgres_refuses_is_told_by_its_sqlstate_and_writes_nothing(
    database: PostgresDatabase,
    postgres: Session,
    column: str,
    value: str | None,
    sqlstate: str,
    company: list[dict[str, Any]],
) -> None:
    hand = Hand(database, Workshop(schemas={1: schema_of(EVERY_TYPE)}))
    hand.write([change("good", 1)])
    with pytest.raises(PostgresRefused) as refused:
        hand.write([{**change("bad", 1), column: value}, change("also good", 1), *company])
    assert refused.value.sqlstate == sqlstate
    assert value is None or value not in str(refused.value)
    assert postgres.execute("select count(*) from stripe.ticket").fetchone() == (1,)
    hand.write([change("next", 1)])
    assert postgres.execute("select count(*) from stripe.ticket").fetchone() == (2,)
