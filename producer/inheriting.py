"""Tells a list's elements what old API versions told of them all together, on their parent."""

from collections.abc import Mapping
from typing import Any

import msgspec

from producer.normalise import NOT_JSON


def with_inherited(raw: bytes, told: Mapping[str, Any]) -> bytes:
    """Stripe's list with these fields in each element that lacks them; as it was if it is none.

    Args:
        raw: the list's JSON.
        told: the parent's fields; what is null says nothing.
    """
    fields = {name: value for name, value in told.items() if value is not None}
    if not fields:
        return raw
    try:
        page = msgspec.json.decode(raw)
    except NOT_JSON:
        return raw
    elements = page.get("data") if isinstance(page, dict) else None
    if not isinstance(elements, list):
        return raw
    page["data"] = [
        element | {name: value for name, value in fields.items() if element.get(name) is None}
        if isinstance(element, dict)
        else element
        for element in elements
    ]
    return msgspec.json.encode(page)
