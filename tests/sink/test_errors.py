"""What is done about each refusal of Postgres."""

import pytest
from psycopg import errors

from sink.errors import RULES, Action, rule_of


@pytest.mark.parametrize(
    "outage",
    [
        errors.ConnectionFailure,
        errors.SerializationFailure,
        errors.DeadlockDetected,
        errors.DiskFull,
        errors.OutOfMemory,
        errors.TooManyConnections,
        errors.AdminShutdown,
        errors.CannotConnectNow,
        errors.QueryCanceled,
        errors.LockNotAvailable,
        errors.ReadOnlySqlTransaction,
        errors.IdleInTransactionSessionTimeout,
        errors.IoError,
        errors.InvalidSqlStatementName,
        errors.DuplicatePreparedStatement,
        errors.DuplicateTable,
    ],
)
def test_an_outage_is_waited_for(outage: type[errors.Error]) -> None:
    assert outage.sqlstate is not None
    assert rule_of(outage.sqlstate).action is Action.RETRY


@pytest.mark.parametrize(
    "refusal",
    [
        errors.InvalidTextRepresentation,
        errors.DatetimeFieldOverflow,
        errors.UntranslatableCharacter,
        errors.NotNullViolation,
        errors.CheckViolation,
        errors.ForeignKeyViolation,
        errors.UniqueViolation,
        errors.RaiseException,
        errors.ProgramLimitExceeded,
        errors.StatementTooComplex,
        errors.CannotCoerce,
        errors.WithCheckOptionViolation,
    ],
)
def test_a_fault_of_one_record_is_dead_lettered(refusal: type[errors.Error]) -> None:
    assert refusal.sqlstate is not None
    assert rule_of(refusal.sqlstate).action is Action.DEAD_LETTER


@pytest.mark.parametrize(
    "refusal",
    [
        errors.InsufficientPrivilege,
        errors.UndefinedTable,
        errors.UndefinedColumn,
        errors.InvalidColumnReference,
        errors.DatatypeMismatch,
        errors.InvalidPassword,
        errors.InvalidCatalogName,
        errors.InvalidSchemaName,
        errors.DataCorrupted,
        errors.InternalError_,
        errors.CardinalityViolation,
    ],
)
def test_what_every_record_shares_stops_the_sink(refusal: type[errors.Error]) -> None:
    assert refusal.sqlstate is not None
    assert rule_of(refusal.sqlstate).action is Action.STOP


@pytest.mark.parametrize(
    "refusal",
    [
        errors.UndefinedTable,
        errors.UndefinedColumn,
        errors.InvalidColumnReference,
        errors.NotNullViolation,
    ],
)
def test_a_table_that_changed_is_looked_at_again_before_the_sink_stops(
    refusal: type[errors.Error],
) -> None:
    assert refusal.sqlstate is not None
    assert rule_of(refusal.sqlstate).look_again


def test_every_rule_tells_the_operator_what_to_do() -> None:
    assert [state for state, rule in RULES.items() if not rule.operator.endswith(".")] == []
