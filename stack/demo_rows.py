"""The demo's rows: the orgs table, the trial query, and whether the rows say what Stripe says."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from stack.demo_stripe import Object, Organisation, Stripe
from stack.errors import StackError

SQL = Path(__file__).with_name("sql")
ARRIVE_SECONDS_MAX = 60.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A table of the demo, Stripe's list that it should equal, and the columns compared.

    Attributes:
        parameters: what the list needs to be asked for, so that it hides no object.
    """

    table: str
    path: str
    columns: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


SUBSCRIPTIONS = Compared(
    table="subscription",
    path="/v1/subscriptions",
    columns=("customer_id", "status", "metadata", "pause_collection", "trial_end"),
    parameters={"status": "all"},
)
COMPARED = (
    Compared(table="product", path="/v1/products", columns=("name", "active")),
    Compared(table="price", path="/v1/prices", columns=("product_id", "currency", "unit_amount")),
    Compared(table="customer", path="/v1/customers", columns=("name", "email")),
    SUBSCRIPTIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One row of the trial query."""

    organisation: str
    platform: str | None
    customer: str
    status: str | None
    days_left: float | None
    ends: datetime | None


class Rows:
    """What the demo reads and writes in its database."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def keep(self, organisations: Iterable[Organisation]) -> None:
        """The company's own table, with a row for each of its customers."""
        self._connection.execute(_statement("create_orgs"))
        for organisation in organisations:
            self._connection.execute(_statement("keep_org"), asdict(organisation))

    def trials(self) -> list[Trial]:
        """The trial query for every organisation."""
        known = self._connection.execute(_statement("list_orgs")).fetchall()
        found = []
        for org_id, name in known:
            rows = self._connection.execute(_statement("trial"), {"org_id": org_id}).fetchall()
            found += [
                Trial(
                    organisation=name,
                    platform=platform,
                    customer=customer,
                    status=status,
                    days_left=None if days is None else float(days),
                    ends=ends,
                )
                for platform, customer, status, days, ends in rows
            ]
        return found

    def differences(self, stripe: Stripe) -> list[str]:
        """Where the rows say something else than Stripe, in words; empty when they agree."""
        return [line for compared in COMPARED for line in self._compare(compared, stripe)]

    def await_agreement(self, stripe: Stripe) -> list[str]:
        """The differences that are left when all has arrived, or when it takes too long."""
        deadline = time.monotonic() + ARRIVE_SECONDS_MAX
        while True:
            found = self.differences(stripe)
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(POLL_SECONDS)

    def says(self, wanted: Object) -> bool:
        """Whether the row of this subscription says what Stripe says."""
        return self._rows(SUBSCRIPTIONS).get(wanted["id"]) == _expected(SUBSCRIPTIONS, wanted)

    def _compare(self, compared: Compared, stripe: Stripe) -> list[str]:
        listed = stripe.listed(compared.path, **compared.parameters)
        wanted = {body["id"]: _expected(compared, body) for body in listed}
        rows = self._rows(compared)
        lines = []
        for key in sorted(wanted.keys() | rows.keys()):
            if wanted.get(key) != rows.get(key):
                told = f"Stripe {wanted.get(key)}, row {rows.get(key)}"
                lines.append(f"{compared.table} {key}: {told}")
        return lines

    def _rows(self, compared: Compared) -> dict[str, dict[str, Any]]:
        query = sql.SQL("select id, {} from stripe.{}").format(
            sql.SQL(", ").join(map(sql.Identifier, compared.columns)),
            sql.Identifier(compared.table),
        )
        try:
            rows = self._connection.execute(query).fetchall()
        except psycopg.errors.UndefinedTable:
            # The sink makes a table when the first record for it arrives.
            return {}
        except psycopg.OperationalError as error:
            raise StackError(f"PostgreSQL went away: {error}") from error
        return {key: dict(zip(compared.columns, rest, strict=True)) for key, *rest in rows}


def _expected(compared: Compared, body: Object) -> dict[str, Any]:
    return {column: _value(column, body) for column in compared.columns}


def _value(column: str, body: Object) -> Any:
    value = body.get(column.removesuffix("_id"))
    if column == "trial_end" and value is not None:
        return datetime.fromtimestamp(value, tz=UTC)
    return value


def _statement(name: str) -> sql.SQL:
    text: Any = (SQL / f"{name}.sql").read_text()
    return sql.SQL(text)
