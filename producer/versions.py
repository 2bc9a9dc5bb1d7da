"""What two bodies of one object may say differently because they are in different API versions."""

from typing import Any

from schemas.columns import Column, ColumnKind
from schemas.history import load_history


def is_of_versions(
    object_name: str, column: Column, *, version: str, told: Any, shown: Any
) -> bool:
    """Whether a column may differ so although nothing changed.

    Nested JSON has the shape of its version. A field that one of the two versions does not have is
    null there, unless another place tells it.

    Args:
        version: of the body that told one value; the newest showed the other.
    """
    if column.kind is ColumnKind.JSON:
        return True
    history = load_history()
    lifetime = history.fields.get(object_name, {}).get(column.source)
    if lifetime is None:
        return False
    gone = shown is None and lifetime.last != history.newest
    later = told is None and lifetime.first > version
    return gone or later
