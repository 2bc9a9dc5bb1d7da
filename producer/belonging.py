"""Tells of an object whose it is, where Stripe's JSON does not."""

import msgspec

from schemas.columns import PARENT_SOURCE


def belonging(body: bytes, parent_id: str) -> bytes:
    """The object with its parent's id, in the field that the column `parent_id` is read from.

    Raises:
        msgspec.DecodeError: the body is no JSON object.
    """
    fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({**fields, PARENT_SOURCE: parent_id})
