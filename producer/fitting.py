"""Which parsed JSON value fits which kind of column, and as what cell."""

from typing import Any, Final, assert_never

import msgspec

from schemas.columns import ColumnKind
from schemas.decimals import is_decimal

INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1
TIMESTAMP_SECONDS_MIN: Final = -62_135_596_800
TIMESTAMP_SECONDS_MAX: Final = 253_402_300_799
"""The years 1 to 9999: what a subscriber's `datetime` holds; other times stay in `extra`."""


def fitting(kind: ColumnKind, value: Any) -> Any:
    """The cell for a parsed JSON value; none if it does not fit a column of this kind."""
    match kind:
        case ColumnKind.STRING:
            return value if isinstance(value, str) else None
        case ColumnKind.DECIMAL:
            return value if isinstance(value, str) and is_decimal(value) else None
        case ColumnKind.BOOLEAN:
            return value if isinstance(value, bool) else None
        case ColumnKind.INTEGER:
            return value if _is_integer(value, least=INTEGER_MIN, most=INTEGER_MAX) else None
        case ColumnKind.TIMESTAMP:
            fits = _is_integer(value, least=TIMESTAMP_SECONDS_MIN, most=TIMESTAMP_SECONDS_MAX)
            return value if fits else None
        case ColumnKind.FLOAT:
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return float(value) if number else None
        case ColumnKind.REFERENCE:
            found = value.get("id") if isinstance(value, dict) else value
            return found if isinstance(found, str) else None
        case ColumnKind.JSON:
            return None if value is None else msgspec.json.encode(value)
    assert_never(kind)


def _is_integer(value: Any, *, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
