"""What can go wrong in the sink, and the one table that says what is done about it.

StripelineError
+-- SinkError
    +-- PostgresRefused      Postgres answered no; its SQLSTATE decides (see RULES)
    +-- PostgresAway         no answer, or the line was cut         -> retry
    +-- PostgresUnreachable  the same, for a command                -> try again
    +-- FenceLost            another sink holds a partition now     -> drop, claim again
    +-- DeadLettersAway      Kafka did not take a dead letter       -> retry
    +-- KafkaAway            a topic cannot be read back now        -> try again
    +-- RebuildTaken         another rebuild of the table runs      -> wait for it
    +-- TopicMissing         there is nothing to rebuild from       -> put the name right
    +-- SuspiciousTopic      rebuilding would throw most rows away  -> look before you act
    +-- StillDead            a dead letter died again               -> mend the cause first
    +-- SinkStopped          what only a person can put right       -> stop
        +-- UnusableSchema       a writer's schema that no table can hold
        +-- TableDiffers         a table that exists already and does not fit
        +-- MigrationsMissing    schema `stripeline` is not there and may not be made
        +-- TooManyDeadLetters   one bad record after the other
        +-- WriteRefused         Postgres refuses every row for one reason
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from runtime.errors import ExitCode, StripelineError


class Action(Enum):
    """What the sink does about a refusal of Postgres."""

    RETRY = "retry"
    """Pause, keep the partitions, and try again for as long as it takes."""
    DEAD_LETTER = "dead-letter"
    """Halve the batch until one record is left, and put that one into the dead letters."""
    STOP = "stop"
    """End the process: every record would be refused for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done about one kind of refusal.

    Attributes:
        action: what the sink does.
        operator: what a person should do, in words for a log line.
        look_again: tables may have changed under the sink; read them anew and try once more first.
    """

    action: Action
    operator: str
    look_again: bool = False


_WAIT = "Nothing, if it passes: the sink goes on by itself and loses nothing."
_POOLER = (
    "A pooler in front of Postgres must be in session mode and reset each session it gives on "
    "(PgBouncer: pool_mode = session, server_reset_query = DISCARD ALL)."
)
_BAD_RECORD = "Look at stripeline.dead_letter: one record does not fit its table."

RULES: Mapping[str, Rule] = {
    # The line, the server, its resources: an outage. It never reaches the dead letters.
    "08": Rule(action=Action.RETRY, operator=_WAIT),
    "25": Rule(action=Action.RETRY, operator="See that DATABASE_URL leads to the primary."),
    "26": Rule(action=Action.RETRY, operator=_POOLER),
    "40": Rule(action=Action.RETRY, operator=_WAIT),
    "53": Rule(action=Action.RETRY, operator="Give Postgres room: disk, memory or connections."),
    "55": Rule(action=Action.RETRY, operator="See in pg_locks who holds the table."),
    "57": Rule(action=Action.RETRY, operator=_WAIT),
    "58": Rule(action=Action.RETRY, operator="Look into the log of Postgres: its disk failed."),
    # A session that is not ours alone: it has our temporary tables or prepared statements already,
    # or not any more.
    "42P05": Rule(action=Action.RETRY, operator=_POOLER),
    "42P07": Rule(action=Action.RETRY, operator=_POOLER),
    # The record.
    "09": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "22": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "23": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    # A column that somebody added would be null in every row; looking again tells it.
    "23502": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD, look_again=True),
    "38": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "39": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "42": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD, look_again=True),
    "44": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "54": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    "P0": Rule(action=Action.DEAD_LETTER, operator=_BAD_RECORD),
    # The table or the role: shared by every record.
    "28": Rule(action=Action.STOP, operator="Put DATABASE_URL's user or password right."),
    "3D": Rule(action=Action.STOP, operator="Create the database that DATABASE_URL names."),
    "3F": Rule(
        action=Action.STOP, operator="Let the role create the schema again.", look_again=True
    ),
    "42501": Rule(action=Action.STOP, operator="Grant the role the right that the message names."),
    "42703": Rule(action=Action.STOP, operator="Put the dropped column back.", look_again=True),
    "42P01": Rule(
        action=Action.STOP, operator="Let the role create the table again.", look_again=True
    ),
    "42P10": Rule(
        action=Action.STOP, operator="Give the table its primary key back.", look_again=True
    ),
    "42804": Rule(action=Action.STOP, operator="Give the column its type back.", look_again=True),
}
"""By SQLSTATE: the whole code where it has its own rule, else its class (two characters)."""

_UNKNOWN = Rule(
    action=Action.STOP,
    operator="Report this SQLSTATE: the sink has no rule for it, so it wrote and lost nothing.",
)


def rule_of(sqlstate: str) -> Rule:
    """The rule for a refusal of Postgres."""
    return RULES.get(sqlstate) or RULES.get(sqlstate[:2]) or _UNKNOWN


class SinkError(StripelineError):
    """Something went wrong between Kafka and Postgres."""


class PostgresRefused(SinkError):
    """Postgres answered with an error.

    Attributes:
        sqlstate: its five characters.
        summary: what may be logged: SQLSTATE, condition, and the names of table, column and
            constraint. Never the server's message: it may repeat a value of the row.
    """

    def __init__(self, *, sqlstate: str, summary: str) -> None:
        super().__init__(summary)
        self.sqlstate = sqlstate
        self.summary = summary

    def __reduce__(self) -> tuple[Any, ...]:
        """Let it come out of another process as it is; named arguments do not by themselves."""
        return partial(PostgresRefused, sqlstate=self.sqlstate, summary=self.summary), ()


class PostgresAway(SinkError):
    """Postgres could not be reached, or the connection broke; the outcome may be unknown."""


class PostgresUnreachable(SinkError):
    """`DATABASE_URL` leads to no Postgres that answers a command."""

    exit_code = ExitCode.UNREACHABLE


class FenceLost(SinkError):
    """Somebody else has claimed a partition, or moved its offset: nothing was written."""


class DeadLettersAway(SinkError):
    """Kafka did not acknowledge a dead letter."""


class KafkaAway(SinkError):
    """A topic could not be read back; what was read before is kept, and the next try goes on."""

    exit_code = ExitCode.UNREACHABLE


class RebuildTaken(SinkError):
    """Another process rebuilds or verifies the same table."""


class TopicMissing(SinkError):
    """There is no such topic; the message names it."""

    exit_code = ExitCode.WRONG_USAGE


class SuspiciousTopic(SinkError):
    """Most rows have no record in the topic: it is another one, or it is not whole."""


class StillDead(SinkError):
    """A dead letter was tried again and died again; it stays as it was."""


class UnusableSchema(SinkError):
    """A writer's schema says what no table can hold; it is none of this project's."""


class SinkStopped(SinkError):
    """Only a person can put this right; the message says how."""


class RegistryRefuses(SinkStopped):
    """The schema registry does not let the sink read schemas."""


class TableDiffers(SinkStopped):
    """A table exists already and does not fit what the sink would write."""


class MigrationsMissing(SinkStopped):
    """Schema `stripeline` lacks migrations, and this role may not run them."""


class TooManyDeadLetters(SinkStopped):
    """One record after the other could not be written; the fault is not in the records."""


class WriteRefused(SinkStopped):
    """Postgres refuses what the sink writes, whatever the record."""
