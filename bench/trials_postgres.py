"""Ways to write in Postgres alone: rows from tables beside, by a statement like the sink's."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.machine import cpu_seconds
from bench.sink_live import TABLE
from bench.sinks import Seen

BATCHES = 10
FEW_ROWS = 20
FEW_TRANSACTIONS = 200
OWN = "upsert"
# What says when and by which event a row came; it differs even where the row says the same.
ABOUT_THE_CHANGE = ("_event_at", "_event_id", "_received_at", "_synced_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to write all rows, a batch in a transaction.

    Attributes:
        prepare: what is different of its table.
        session: what is different of its session.
        source: `sorted` by the key, `mixed`, or `same`: sorted, and nothing but the time is new.
        compares: whether a row that says the same is skipped.
        connections: how many share the batches.
        keyed: whether it is an upsert; else rows are put into an empty table without a key.
    """

    prepare: str = ""
    session: str = ""
    source: str = "sorted"
    compares: bool = False
    connections: int = 1
    keyed: bool = True


WAYS: Mapping[str, Way] = {
    OWN: Way(),
    "upsert_unsorted": Way(source="mixed"),
    "upsert_without_synchronous_commit": Way(session="set synchronous_commit to off"),
    "upsert_fillfactor_80": Way(prepare="alter table {table} set (fillfactor = 80)"),
    "upsert_fillfactor_50": Way(prepare="alter table {table} set (fillfactor = 50)"),
    "upsert_fillfactor_50_key_only": Way(
        prepare="alter table {table} set (fillfactor = 50); {drop_indexes}"
    ),
    "upsert_two_connections": Way(connections=2),
    "upsert_compared": Way(compares=True),
    "upsert_same": Way(source="same"),
    "upsert_same_compared": Way(source="same", compares=True),
    "shadow_logged": Way(prepare="{drop_key}; {drop_indexes}", keyed=False),
    "shadow_unlogged": Way(
        prepare="{drop_key}; {drop_indexes}; alter table {table} set unlogged", keyed=False
    ),
}


class Ways:
    """Tables beside the sink's, one for each way, and batches for them."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._session: psycopg.Connection[Any] = psycopg.connect(database_url, autocommit=True)
        self._session.execute("create schema trial")
        self._columns = [
            row[0]
            for row in self._session.execute(
                "select attname::text from pg_attribute where attnum > 0 "
                "and attgenerated = '' and attrelid = %s::regclass order by attnum",
                [f"stripe.{TABLE}"],
            )
        ]
        self._rows = 0
        for name, way in WAYS.items():
            self._make_table(name, way)

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def make_batches(self, version: int) -> None:
        """Rows that are newer than everything written so far, in all three sources."""
        changed = {
            "_event_at": f"_event_at + {version} * interval '1 day'",
            "latest_invoice_id": f"'in_{version}_' || id",
            "items": f"jsonb_set(items, '{{data,0,quantity}}', '{version}')",
        }
        later = {"_event_at": changed["_event_at"]}
        sources = {
            "sorted": (changed, "id"),
            "mixed": (changed, "md5(id)"),
            "same": (later, "id"),
        }
        for source, (values, order) in sources.items():
            listed = ", ".join(
                f"{values.get(name, _quoted(name))} as {_quoted(name)}" for name in self._columns
            )
            for batch in range(BATCHES):
                self._session.execute(f"drop table if exists trial.{source}_{batch}")
                self._session.execute(
                    f"create unlogged table trial.{source}_{batch} as select {listed} "
                    f"from stripe.{TABLE} where abs(hashtext(id) % {BATCHES}) = {batch} "
                    f"order by {order}"
                )

    def written(self, name: str) -> Seen:
        """All batches, the way of this name."""
        way, table = WAYS[name], f"trial.{name}"
        if not way.keyed:
            self._session.execute(f"truncate {table}")
        statement = self._statement(name, way)

        def write(session: "psycopg.Connection[Any]", first: int) -> None:
            for batch in range(first, BATCHES, way.connections):
                session.execute(statement.format(source=f"trial.{way.source}_{batch}"))

        return self._timed(write, way, rows=self._rows)

    def few(self, *, prepare: bool) -> Seen:
        """A few rows in a transaction, a statement for each, prepared or not."""
        listed = ", ".join(_quoted(name) for name in self._columns)
        texts = ", ".join(f"{_quoted(name)}::text" for name in self._columns)
        types = [
            str(row[0])
            for row in self._session.execute(
                "select atttypid::regtype::text from pg_attribute where attnum > 0 "
                "and attgenerated = '' and attrelid = %s::regclass order by attnum",
                [f"stripe.{TABLE}"],
            )
        ]
        rows = self._session.execute(f"select {texts} from trial.sorted_0").fetchmany(FEW_ROWS)
        statement = (
            f"insert into trial.{OWN} as mine ({listed}) select "
            + ", ".join(f"%s::{one}" for one in types)
            + self._on_conflict(Way()).replace(">", ">=")
        )

        def write(session: "psycopg.Connection[Any]", _first: int) -> None:
            for _transaction in range(FEW_TRANSACTIONS):
                with session.transaction(), session.pipeline():
                    for row in rows:
                        session.execute(statement, row, prepare=prepare)

        return self._timed(write, Way(), rows=FEW_ROWS * FEW_TRANSACTIONS)

    def updates_in_place(self, name: str) -> float:
        """Which share of the updates needed no new entry in an index (HOT)."""
        self._session.execute("select pg_stat_clear_snapshot()")
        row = self._session.execute(
            "select n_tup_hot_upd::float8 / greatest(n_tup_upd, 1) from pg_stat_user_tables "
            "where relid = %s::regclass",
            [f"trial.{name}"],
        ).fetchone()
        assert row is not None
        return float(row[0])

    def _make_table(self, name: str, way: Way) -> None:
        table = f"trial.{name}"
        self._session.execute(f"create table {table} (like stripe.{TABLE} including all)")
        indexes = self._session.execute(
            "select indexrelid::regclass::text from pg_index "
            "where indrelid = %s::regclass and not indisprimary",
            [table],
        ).fetchall()
        self._session.execute(
            way.prepare.format(
                table=table,
                drop_indexes="; ".join(f"drop index {index}" for (index,) in indexes),
                drop_key=f"alter table {table} drop constraint {name}_pkey",
            )
            or "select"
        )
        if way.keyed:
            listed = ", ".join(_quoted(name) for name in self._columns)
            self._rows = self._session.execute(
                f"insert into {table} ({listed}) select {listed} from stripe.{TABLE}"
            ).rowcount
            self._session.execute(f"vacuum analyze {table}")

    def _statement(self, name: str, way: Way) -> str:
        listed = ", ".join(_quoted(one) for one in self._columns)
        insert = f"insert into trial.{name} as mine ({listed}) select {listed} from {{source}}"
        return insert + (self._on_conflict(way) if way.keyed else "")

    def _on_conflict(self, way: Way) -> str:
        changed = ", ".join(
            f"{_quoted(name)} = excluded.{_quoted(name)}" for name in self._columns if name != "id"
        )
        says = [name for name in self._columns if name not in ABOUT_THE_CHANGE]
        differs = (
            f" and ({', '.join(f'mine.{_quoted(name)}' for name in says)}) is distinct from "
            f"({', '.join(f'excluded.{_quoted(name)}' for name in says)})"
        )
        return (
            f" on conflict (id) do update set {changed} "
            f"where excluded._event_at > mine._event_at{differs if way.compares else ''}"
        )

    def _timed(
        self, write: Callable[["psycopg.Connection[Any]", int], None], way: Way, *, rows: int
    ) -> Seen:
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(psycopg.connect(self._database_url, autocommit=True))
                for _one in range(way.connections)
            ]
            for session in sessions:
                session.execute(f"set jit to off; {way.session}")
            before = _used(sessions)
            threads = [
                threading.Thread(target=write, args=(session, first))
                for first, session in enumerate(sessions)
            ]
            began = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.monotonic() - began
            return Seen(
                per_second=rows / seconds,
                postgres_cpu_micros=(_used(sessions) - before) / rows * 1e6,
            )


def _used(sessions: Sequence["psycopg.Connection[Any]"]) -> float:
    return sum(cpu_seconds(session.info.backend_pid) for session in sessions)


def _quoted(name: str) -> str:
    return f'"{name}"'
