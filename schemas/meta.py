"""The fields of a record that are not Stripe's: what was observed, when, and which way it came."""

from enum import StrEnum
from typing import Final

EXTRA: Final = "extra"
EVENT_AT: Final = "_event_at"
EVENT_ID: Final = "_event_id"
EVENT_TYPE: Final = "_event_type"
OPERATION: Final = "_operation"
SOURCE: Final = "_source"
API_VERSION: Final = "_api_version"
ACCOUNT_ID: Final = "_account_id"
RECEIVED_AT: Final = "_received_at"
PREVIOUS: Final = "_previous"

META_FIELDS: Final = (
    EXTRA,
    EVENT_AT,
    EVENT_ID,
    EVENT_TYPE,
    OPERATION,
    SOURCE,
    API_VERSION,
    ACCOUNT_ID,
    RECEIVED_AT,
    PREVIOUS,
)
"""In the order in which they follow Stripe's columns in every schema."""


class Operation(StrEnum):
    """What happened to the object; the record's `_operation`."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SNAPSHOT = "snapshot"


ENTRY_HEADER: Final = "stripeline.entry"
"""The header of a record on an object topic: what the relay's memory needs to know of it.

Text, a space between each: `_event_at` in microseconds, operation, hash of the body in
hexadecimal, `partition:offset` of the inbox record that it came from, `table:key` (as in a URL) of
the object that shows it if no other way does, and the ids of the events of that second, comma
separated.
"""
