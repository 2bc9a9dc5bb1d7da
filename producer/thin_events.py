"""Thin events: what they say, and what they tell more of the whole event that goes with them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from runtime.clock import MICROS_PER_SECOND
from schemas.inbox import Finer, Source

V1_PREFIX: Final = "v1."
"""How the types of those thin events begin that may have a whole event beside them."""
BEFORE_BYTES_MAX: Final = 32_768
"""It travels in a header; where it is larger, Stripe is asked as if there were none."""


class RelatedObject(msgspec.Struct, gc=False):
    """What a thin event says of its object; the only one of its type has no id.

    Attributes:
        url: its address.
    """

    type: str
    url: str
    id: str = ""


class ThinEvent(msgspec.Struct, gc=False):
    """An event that names its object and does not hold it.

    Attributes:
        created: ISO 8601.
        snapshot_event: the id of the whole event that goes with it. What is posted need not tell
            it, nor `changes`: the event as it is fetched does.
        changes: `before` and `after`.
    """

    id: str
    type: str
    created: str
    related_object: RelatedObject | None = None
    snapshot_event: str | None = None
    changes: msgspec.Raw = msgspec.Raw()

    def created_micros(self) -> int:
        """Microseconds since 1970 UTC.

        Raises:
            ValueError: it is no time, or has no zone.
        """
        told = datetime.fromisoformat(self.created)
        if told.tzinfo is None:
            raise ValueError("a time without a zone")
        return (told - _EPOCH) // timedelta(microseconds=1)


decode_thin_event: Final = msgspec.json.Decoder(ThinEvent).decode


def tells_more(event: ThinEvent, source: Source) -> bool:
    """Whether a thin event, fetched by its own id, may name the whole event that goes with it.

    Args:
        source: where it came from; what was fetched already tells no more.
    """
    told = event.snapshot_event or source is Source.REFETCH
    return not told and event.type.startswith(V1_PREFIX)


def finer_of(thin_event: bytes, whole_event: bytes) -> Finer | None:
    """What a thin event tells of the place of its whole event; none if they do not agree.

    `changes` is no part of the whole event and has no version: it is taken only where the whole
    event does not say itself what it replaced, and shows all of `after`.
    """
    try:
        thin = decode_thin_event(thin_event)
        whole = _DECODE_WHOLE(whole_event)
        created = thin.created_micros()
        if created // MICROS_PER_SECOND != whole.created:
            return None
        silent = not whole.data.previous_attributes
        before = _before(thin.changes, whole.data.object) if silent else b""
    except (ValueError, msgspec.DecodeError):
        return None
    return Finer(created=created, before=before)


def _before(changes: msgspec.Raw, body: Mapping[str, Any]) -> bytes:
    told = _DECODE_CHANGES(changes) if bytes(changes) not in (b"", b"null") else _Changes()
    if not told.before or not _shown(told.before, told.after, body):
        return b""
    encoded = msgspec.json.encode(told.before)
    return encoded if len(encoded) <= BEFORE_BYTES_MAX else b""


def _shown(before: Mapping[str, Any], after: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Whether a body has what every changed field became."""
    for name, old in before.items():
        if name not in after or name not in body:
            return False
        new, shown = after[name], body[name]
        if isinstance(old, Mapping) and isinstance(new, Mapping) and isinstance(shown, Mapping):
            if not _shown(old, new, shown):
                return False
        elif new != shown:
            return False
    return True


class _Changes(msgspec.Struct, gc=False):
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}


class _Data(msgspec.Struct, gc=False):
    object: dict[str, Any]
    previous_attributes: dict[str, Any] | None = None


class _Whole(msgspec.Struct, gc=False):
    created: int
    data: _Data


_DECODE_CHANGES: Final = msgspec.json.Decoder(_Changes).decode
_DECODE_WHOLE: Final = msgspec.json.Decoder(_Whole).decode
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
