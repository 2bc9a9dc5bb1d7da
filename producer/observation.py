"""What one inbox record says: one object, as Stripe showed it at one moment."""

from functools import lru_cache
from typing import Final

import msgspec

from schemas.inbox import Evidence, Finer, Kind, Source
from schemas.meta import Operation

DELETED_BUT_LIVES: Final = frozenset({"customer.subscription.deleted"})
"""Event types that end in `.deleted` though the object still exists (with another status)."""

NOTHING: Final = frozenset({b"", b"null", b"{}"})
"""What `previous_attributes` are where they tell nothing."""


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One object, as Stripe showed it at one moment.

    A `msgspec.Struct` and not a dataclass: thousands are alive at a time, and neither making them
    nor the garbage collector's walk over them may cost what the rest of the work costs.

    Attributes:
        object_name: Stripe's name of the object's type, `checkout.session`.
        key: the record key.
        second: Stripe's second: an event's `created`, or the second in which a snapshot was read.
        operation: what it claims; `SNAPSHOT` for a snapshot, `DELETED` for an object that is gone.
        event_id, event_type: empty unless it is an event; of a thin one the id is that of the
            whole event that goes with it, if there is one.
        previous: an event's `previous_attributes` as JSON; `has_previous` says if there are any.
        value: of the inbox record: the event, or the object itself.
        received_at: microseconds since 1970 UTC.
        partition, offset: where it stands in the inbox.
        finer: what a thin event told more of the event's place in its second.
    """

    kind: Kind
    source: Source
    evidence: Evidence | None
    object_name: str
    key: str
    account_id: str
    second: int
    operation: Operation
    event_id: str
    event_type: str
    api_version: str | None
    previous: bytes
    value: bytes
    received_at: int
    partition: int
    offset: int
    finer: Finer | None = None

    @property
    def body(self) -> bytes:
        """The object's JSON as Stripe sent it; found anew each time it is asked for."""
        if self.kind is Kind.EVENT:
            return bytes(_DECODE_EVENT(self.value).data.object)
        return self.value

    @property
    def object_id(self) -> str:
        """What tells the object from others of its type and account."""
        return self.key.removeprefix(f"{self.account_id}/")

    @property
    def is_wish(self) -> bool:
        """Whether it shows nothing, and asks for the object instead."""
        return self.kind is Kind.WANTED or self.kind is Kind.THIN_EVENT

    @property
    def has_previous(self) -> bool:
        """Whether `previous` tells anything."""
        return self.previous not in NOTHING


@lru_cache(maxsize=1_000)
def operation_of(event_type: str) -> Operation:
    """What an event of this type claims to have happened to its object."""
    if event_type.endswith(".created"):
        return Operation.CREATED
    if event_type.endswith(".deleted") and event_type not in DELETED_BUT_LIVES:
        return Operation.DELETED
    return Operation.UPDATED


class _Data(msgspec.Struct, gc=False):
    object: msgspec.Raw


class _Event(msgspec.Struct, gc=False):
    data: _Data


_DECODE_EVENT: Final = msgspec.json.Decoder(_Event).decode
