"""A list in a body, whose elements are objects with ids: what its object shows of it."""

from collections.abc import Iterable
from enum import Enum

import msgspec


class Extent(Enum):
    """How much of a list its object shows."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    """It goes on elsewhere."""
    UNTOLD = "untold"
    """Nothing says so, or an element cannot be told from others."""


class OwnedChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An element that only this list ever shows.

    Attributes:
        name: of the element in the memory.
        key: its record key.
        half: its half of a record.
        body_hash: of the half.
    """

    name: str
    key: str
    object_name: str
    table: str
    half: bytes
    body_hash: bytes


class OtherChild(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An element that Stripe shows in other ways, too.

    Attributes:
        name: of the element in the memory.
        key: its record key.
        value: its JSON.
    """

    name: str
    key: str
    object_name: str
    value: bytes


class ShownList(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A list in a body.

    Attributes:
        field: of the body.
        digest: of its field and its bytes.
        owned: its elements, if only their parent ever shows them.
        others: its elements, if not.
    """

    field: str
    extent: Extent
    digest: bytes
    owned: tuple[OwnedChild, ...] = ()
    others: tuple[OtherChild, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its elements."""
        halves = sum(len(child.half) for child in self.owned)
        return halves + sum(len(child.value) for child in self.others)


def digest_of(lists: Iterable[ShownList]) -> bytes:
    """Tells the lists of a body from others."""
    return b"".join([one.digest for one in lists])
