"""A stretch of a topic applied once more, on real Kafka, registry and Postgres."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.sink.changes import EPOCH, SECOND, change
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import Workplace, published, rows
from tests.sink.test_sink_process import first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
TITLES = "select array_agg(id || ' ' || title order by id) from stripe.ticket"


def test_a_replay_applies_what_came_since_a_time_under_the_guard(
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
    assert first(postgres, TITLES) == ["b new", "c newer"]
    assert workplace.said("replay", "ticket", "--from", "0")[0] == 0
    assert first(postgres, TITLES) == ["a old", "b new", "c newer"]


def test_a_replay_from_an_offset_leaves_out_what_stands_before_it(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    keys = {"a", "b", "c", "d", "e", "f", "g", "h"}
    publisher.publish("ticket", tickets, [change(name, 1, title="first") for name in sorted(keys)])
    # Into a database in which no sink was yet.
    code, told = workplace.said("replay", "ticket", "--from", "2")
    assert code == 0, told
    applied = set(first(postgres, "select array_agg(id) from stripe.ticket"))
    # Of each of the two partitions the first two are left out.
    assert len(applied) == len(keys) - 4
    assert f"{len(applied)} records" in told
    assert workplace.said("replay", "ticket", "--from", "offset:0")[0] == 0
    assert set(first(postgres, "select array_agg(id) from stripe.ticket")) == keys


def test_a_record_that_postgres_refuses_is_told_and_the_rest_are_applied(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 50)
    publisher.publish("ticket", tickets, [change("bad", 1, body="{not json")])
    publisher.publish_values("ticket", [("garbage", b"garbage")])
    code, told = workplace.said("replay", "ticket", "--from", "0")
    assert (code, "2 records are no rows" in told) == (1, True), told
    assert ": 22P02" in told
    assert ": BadFrame" in told
    assert "not json" not in told
    assert first(postgres, "select count(*) from stripe.ticket") == 50
    assert rows(postgres)[0]["title"] == "last"


@pytest.mark.parametrize(
    ("start", "word"),
    [
        ("yesterday", "--from 2026-11-21T08:00"),
        ("20261121", "--from 2026-11-21"),
        ("1763712000", "the highest offset is below"),
        ("offset:1763712000", "the highest offset is below"),
        ("²", "neither an offset nor a time"),
    ],
)
def test_a_start_that_says_nothing_clear_is_refused(
    workplace: Workplace, publisher: Publisher, tickets: int, start: str, word: str
) -> None:
    publisher.publish("ticket", tickets, [change("a", 1)])
    code, told = workplace.said("replay", "ticket", "--from", start)
    assert code == 2
    assert word in " ".join(told.split())
