"""The queries of `docs/history.md`, run on a history of subscriptions."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from schemas.objects import load_catalogue
from sink.batch import Batch
from sink.postgres_database import PostgresDatabase
from tests.sink.changes import Workshop

pytestmark = pytest.mark.stack
Session = psycopg.Connection[Any]
PAGE = Path(__file__).parents[2] / "docs" / "history.md"
MICROS = 1_000_000
AUGUST, SEPTEMBER, NOVEMBER = 1_785_600_000, 1_788_300_000, 1_793_600_000

WHO = [(AUGUST, "ann", None), (SEPTEMBER, "bob", "evt_7")]
"""Of `sub_123`: when, whose it is from then on, and the event; a backfill found the first."""


def queries() -> list[str]:
    """The indented blocks of the page that are SQL."""
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE.read_text(), re.MULTILINE)
    return [block for block in blocks if "select" in block and "stripeline" not in block]


def change(
    second: int,
    status: str,
    amount: int,
    interval: str,
    *,
    name: str = "",
    owner: str = "",
    event: str | None = None,
) -> dict[str, Any]:
    price = {
        "unit_amount": amount,
        "recurring": {"interval": interval, "interval_count": 1},
    }
    return {
        "id": name or f"sub_{interval}",
        "object": "subscription",
        "status": status,
        "currency": "eur",
        "metadata": json.dumps({"plan_owner": owner} if owner else {}),
        "items": json.dumps({"data": [{"price": price, "quantity": 2}]}),
        "_event_id": event,
        "_event_type": event and "customer.subscription.updated",
        "_event_at": second * MICROS,
        "_operation": "updated",
        "_source": "webhook",
        "_received_at": second * MICROS,
    }


@pytest.fixture
def history(database: PostgresDatabase) -> None:
    workshop = Workshop(schemas={1: dict(load_catalogue().get("subscription").schema)})
    records = workshop.records(
        [
            change(AUGUST, "trialing", 1_000, "month"),
            change(AUGUST, "active", 12_000, "year"),
            change(SEPTEMBER, "active", 1_000, "month"),
            change(NOVEMBER, "canceled", 1_000, "month"),
            *(
                change(second, "paused", 500, "week", name="sub_123", owner=owner, event=event)
                for second, owner, event in WHO
            ),
        ],
        topic="t.subscription",
    )
    loaded = workshop.loader(history=["subscription"]).load(Batch(records=records, fences={}))
    assert not loaded.dead
    database.write(loaded, dead=(), steps={})


def test_the_page_has_its_queries() -> None:
    assert len(queries()) == 4


def test_every_query_of_the_page_gives_what_it_says(history: None, postgres: Session) -> None:
    churn, revenue, who, trials = (postgres.execute(sql.encode()).fetchall() for sql in queries())
    assert [churned for _month, churned in churn] == [1]
    assert revenue == [(Decimal(40),)]
    assert who == [
        (datetime.fromtimestamp(AUGUST, UTC), None, None, None, "ann"),
        (
            datetime.fromtimestamp(SEPTEMBER, UTC),
            ["metadata"],
            "customer.subscription.updated",
            "evt_7",
            "bob",
        ),
    ]
    assert [(name, (ended - began).days) for name, began, ended in trials] == [("sub_month", 31)]
