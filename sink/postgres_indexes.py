"""Indexes of columns that came later, made while readers and other sinks go on."""

from collections.abc import Collection
from typing import Any, Final

import psycopg

from runtime.logs import logger
from sink.errors import PostgresRefused
from sink.postgres import Connection, translated
from sink.sql import query
from sink.tables import TableName, index_statements, lock_key

_LOCK_CLASS: Final = 0x7374_7269
"""Advisory locks of those who make indexes: one of a table at a time."""


class Indexes:
    """Makes indexes outside any transaction, which `concurrently` needs.

    Args:
        connection: the session that rows are written through, too.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stands, self._made = query("index_stands"), query("index_made")

    def make(self, name: TableName, columns: Collection[str]) -> None:
        """Make the index of each column, and note that it is no longer due.

        One that cannot be made now, because a long transaction is in its way or another sink
        makes it, stays due: rows never wait for an index.

        Raises:
            PostgresAway: no answer; what was made half is made again.
        """
        session = self._connection.session()
        lock = [_LOCK_CLASS, lock_key(str(name))]
        with translated():
            told = session.execute("select current_setting('statement_timeout')").fetchone()
            assert told is not None
            if session.execute("select pg_try_advisory_lock($1, $2)", lock).fetchone() != (True,):
                return
            # A large table takes its time.
            session.execute("set statement_timeout to 0")
        try:
            for column in sorted(columns):
                self._make(session, name, column)
        except PostgresRefused as refused:
            logger("tables").warning(
                "index could not be made yet", table=str(name), reason=refused.summary
            )
        finally:
            if not session.closed:
                with translated():
                    session.execute("select set_config('statement_timeout', $1, false)", [told[0]])
                    session.execute("select pg_advisory_unlock($1, $2)", lock)

    def _make(self, session: "psycopg.Connection[Any]", name: TableName, column: str) -> None:
        index, drop, create = index_statements(name, column)
        with translated():
            stands = session.execute(self._stands, [index]).fetchone()
            if stands == (False,):
                # It was begun and not ended.
                session.execute(drop)
            if stands != (True,):
                session.execute(create)
            session.execute(self._made, [name.schema, name.table, column])
