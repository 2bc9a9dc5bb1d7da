"""Tables made again from records of several schemas, and of values that no column takes."""

import json
from typing import Any

import psycopg
import pytest

from sink.rebuild_tables import Finding
from tests.sink.changes import (
    JSONB,
    NUMERIC,
    TEXT,
    TICKET,
    TIMESTAMP,
    change,
    schema_of,
)
from tests.sink.conftest import SinkStarter
from tests.sink.publisher import Publisher
from tests.sink.rebuilding import ALL_WRITTEN, At, Workplace, findings, only, published, rows
from tests.sink.test_sink_process import arrives, first

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
WIDER = schema_of({**TICKET, "due_at": TIMESTAMP, "tags": JSONB, "buyer_id": TEXT})
OLD = change(
    "old",
    1,
    title="t",
    extra=json.dumps({"due_at": 1_750_000_000, "tags": ["x"], "buyer": {"id": "cus_1"}}),
)
FILLED = (
    "select due_at = to_timestamp(1750000000) and tags = '[\"x\"]' and buyer_id = 'cus_1' "
    "from {schema}.ticket where id = 'old'"
)


def test_a_field_that_moved_out_of_extra_fills_its_column_on_rebuild(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    publisher.publish("ticket", tickets, [OLD])
    workplace.rebuild("ticket")
    wider = publisher.register("ticket", WIDER)
    publisher.publish("ticket", wider, [change("new", 2, title="t", tags='["y"]')])
    postgres.execute(ALL_WRITTEN)
    found = workplace.verify("ticket")
    assert only(found).columns_missing == ["buyer_id", "due_at", "tags"]
    assert findings(workplace.rebuild("ticket")) == {Finding.MISSING: 1, Finding.WRONG: 1}
    assert first(postgres, FILLED.format(schema="stripe"))
    assert first(postgres, "select tags = '[\"y\"]' from stripe.ticket where id = 'new'")
    assert not workplace.verify("ticket").differs


def test_a_rebuild_and_the_sink_make_the_same_row_of_an_older_record(
    workplace: Workplace,
    publisher: Publisher,
    postgres: Session,
    tickets: int,
    sink: SinkStarter,
) -> None:
    wider = publisher.register("ticket", WIDER)
    publisher.publish("ticket", wider, [change("first", 1, title="t")])
    service = sink().start()
    arrives(postgres, "select count(*) from stripe.ticket", 1)
    # From a relay of the version before, during an upgrade: the table has the columns already.
    publisher.publish("ticket", tickets, [OLD])
    arrives(postgres, "select count(*) from stripe.ticket where id = 'old'", 1)
    service.stop()
    assert first(postgres, FILLED.format(schema="stripe"))
    assert not workplace.verify("ticket").differs
    assert workplace.said("rebuild", "ticket", "--into", "again")[0] == 0
    assert rows(postgres) == rows(postgres, "again.ticket")


def test_a_schema_that_comes_while_rows_are_explained_fills_its_columns(
    workplace: Workplace, publisher: Publisher, postgres: Session, tickets: int
) -> None:
    published(publisher, tickets, 10)
    workplace.rebuild("ticket")
    postgres.execute(
        "update stripe.ticket set _event_at = now() + interval '1 year' where id = 'o00003'"
    )
    postgres.execute("update stripe.ticket set title = 'forged' where id = 'o00004'")
    newer = [change(name, 50, title="new", buyer_id="cus_1") for name in ("o00003", "o00004")]

    def another_schema() -> None:
        publisher.publish("ticket", publisher.register("ticket", WIDER), newer)

    report = workplace.rebuild("ticket", steps=At("comparing", another_schema))
    assert findings(report) == {Finding.AHEAD: 1, Finding.WRONG: 1}
    filled = "select count(*) from stripe.ticket where title = 'new' and buyer_id = 'cus_1'"
    assert first(postgres, filled) == 2
    postgres.execute(ALL_WRITTEN)
    assert not workplace.verify("ticket").differs


def test_a_text_that_is_no_decimal_is_told_and_its_row_is_left_alone(
    workplace: Workplace, publisher: Publisher, postgres: Session
) -> None:
    publisher.make_topic(publisher.names.object_topic("ticket"))
    priced = publisher.register("ticket", schema_of({**TICKET, "price": NUMERIC}))
    good = [change(f"o{n}", 1, price="12.50") for n in range(10)]
    publisher.publish("ticket", priced, [*good, change("bad", 1, price="many")])
    report = workplace.rebuild("ticket")
    assert findings(report) == {Finding.MISSING: 10}
    assert [one.reason for one in report.unreadable] == ["BadDecimal"]
    assert first(postgres, "select sum(price)::text from stripe.ticket") == "125.00"
    assert not workplace.verify("ticket").differs
