"""A stretch of a topic written once more: what Postgres refuses is noted, and the rest goes on."""

import time

from runtime.errors import frames_of
from sink.batch import Batch
from sink.database import Database
from sink.errors import Action, PostgresRefused, rule_of
from sink.load import Dead
from sink.loader import Loader
from sink.patience import Pause, patiently


class Replay:
    """Writes batches under the guard, and moves no offset.

    Args:
        pause: waits before something is tried again that others were in the way of.

    Attributes:
        records: how many were read.
        rows: how many of them changed their row.
        dead: those that are no rows, or that Postgres refuses.
    """

    def __init__(self, database: Database, loader: Loader, *, pause: Pause = time.sleep) -> None:
        self._database = database
        self._loader = loader
        self._pause = pause
        self.records = 0
        self.rows = 0
        self.dead: list[Dead] = []

    def write(self, batch: Batch) -> None:
        """Write a batch, in parts where it must be.

        Raises:
            PostgresAway: it is unknown how much of it was written; doing it again is harmless.
            PostgresRefused: for a reason that is in no record.
            RegistryUnreachable, SinkStopped: nothing of it was written.
        """
        self.records += len(batch.records)
        try:
            self._write(batch)
        except PostgresRefused as refused:
            if not rule_of(refused.sqlstate).look_again:
                raise
            # Somebody has changed the table since it was looked at.
            self._database.look_again()
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        load = self._loader.load(batch)
        try:
            # No step: where the sink stands is the sink's to say.
            changed = patiently(
                lambda: self._database.write(load, dead=(), steps={}), pause=self._pause
            )
        except PostgresRefused as refused:
            if rule_of(refused.sqlstate).action is not Action.DEAD_LETTER:
                raise
            if len(batch.records) > 1:
                for half in batch.halves():
                    self._write(half)
                return
            stack = frames_of(refused)
            (record,) = batch.records
            self.dead.append(Dead(record=record, reason=refused.sqlstate, stack=stack))
            return
        self.rows += sum(changed.values())
        self.dead += load.dead
