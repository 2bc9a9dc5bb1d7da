"""What a backfill needs of Kafka: where objects go, and where it stood."""

from collections.abc import Mapping
from typing import Any, Protocol

from schemas.inbox import Envelope


class Inbox(Protocol):
    """Where objects go."""

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        """Hand over a record."""
        ...

    def flush(self) -> None:
        """Return when Kafka has every record."""
        ...


class StoredCursors(Protocol):
    """Where a run that was killed stood."""

    def read(self) -> dict[str, dict[str, Any]]:
        """The newest value of each key."""
        ...

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        """Store a value; it is durable when this returns."""
        ...
