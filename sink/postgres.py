"""The connection to Postgres: its session, its errors in the sink's words, its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import pq

from sink.errors import FenceLost, PostgresAway, PostgresRefused

CONNECT_SECONDS_MAX: Final = 10
FENCE_LOST_SQLSTATE: Final = "SL001"
PREPARED_STATEMENTS_MAX: Final = 1_000

_SESSION: Final = """
set time zone 'UTC';
set client_encoding to 'UTF8';
set standard_conforming_strings to on;
-- A sink that hangs must not keep its locks: the server ends its transaction.
set idle_in_transaction_session_timeout to '30s';
-- Whoever locks a table is waited for in rounds, each of which is said in the log.
set lock_timeout to '10s';
set statement_timeout to '300s';
-- Compiling a statement costs more than these statements take.
set jit to off;
"""


@contextmanager
def translated() -> Iterator[None]:
    """Let an error of the driver come out as one of the sink's.

    Raises:
        PostgresAway: no answer; the outcome of a commit may be unknown.
        PostgresRefused: an answer with an SQLSTATE.
        FenceLost: `stripeline.advance` found another fence or offset than ours.
    """
    try:
        yield
    except psycopg.Error as error:
        # The cause is cut off: its text may repeat a row's values, and tracebacks are logged.
        raise _in_our_words(error) from None


def _in_our_words(error: psycopg.Error) -> Exception:
    if error.sqlstate == FENCE_LOST_SQLSTATE:
        return FenceLost("a partition is claimed, or its offset moved, by somebody else")
    if error.sqlstate is not None:
        return PostgresRefused(sqlstate=error.sqlstate, summary=_summary(error))
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return PostgresAway(str(error).strip() or type(error).__name__)
    return error


def _summary(error: psycopg.Error) -> str:
    names = {
        "schema": error.diag.schema_name,
        "table": error.diag.table_name,
        "column": error.diag.column_name,
        "constraint": error.diag.constraint_name,
    }
    told = [f"{what} {name}" for what, name in names.items() if name]
    return " ".join([f"{error.sqlstate} {type(error).__name__}", *told])


class Connection:
    """One session of Postgres, opened when it is needed and opened anew after it broke.

    Statements run outside a transaction unless `begin` was one of them.

    Args:
        url: as libpq reads it.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: psycopg.Connection[Any] | None = None
        self.generation = 0
        """Rises with each new session; temporary tables live as long as one."""

    def session(self) -> psycopg.Connection[Any]:
        """The open session.

        Raises:
            PostgresAway: it could not be opened, for whatever reason: no record is at fault.
        """
        if self._open is not None and not self._open.closed:
            return self._open
        try:
            opened = self._opened()
        except PostgresRefused as refused:
            raise PostgresAway(refused.summary) from refused
        self._open = opened
        self.generation += 1
        return opened

    def _opened(self) -> psycopg.Connection[Any]:
        with translated():
            opened: psycopg.Connection[Any] = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS_MAX,
                application_name="stripeline sink",
                cursor_factory=psycopg.RawCursor,
                # A dead line is noticed within half a minute, also in the middle of a COPY.
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=30_000,
            )
            opened.prepared_max = PREPARED_STATEMENTS_MAX
            opened.execute(_SESSION)
            return opened

    def rollback(self) -> None:
        """End a failed transaction; a session that cannot be saved is closed."""
        session = self._open
        if session is None:
            return
        try:
            if session.info.transaction_status != pq.TransactionStatus.IDLE:
                session.execute("rollback")
        except psycopg.Error:
            self.close()

    def close(self) -> None:
        """End the session; the next use opens a new one."""
        session, self._open = self._open, None
        if session is not None:
            session.close()
