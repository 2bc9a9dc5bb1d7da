"""Events: what Stripe says of a change, with the attributes that it changed."""

from collections.abc import Mapping
from typing import Any

from simulator.state import Body

API_VERSION = "2026-10-28.endive"
VERSION_PATTERN = r"^(\d{4}-\d{2}-\d{2}(\.[a-z]+)?)?$"
RETENTION_SECONDS = 30 * 24 * 3_600


def previous_attributes(old: Body, new: Body) -> Body:
    """What `old` held where `new` differs: changed leaves only, an array whole.

    A key that `old` did not have is None, as Stripe says of a metadata key just set.
    """
    previous: Body = {}
    for key in [*old, *(key for key in new if key not in old)]:
        before, after = old.get(key), new.get(key)
        if before == after and type(before) is type(after):
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            previous[key] = previous_attributes(before, after)
        else:
            previous[key] = before
    return previous


def event(
    *,
    identifier: str,
    account: str,
    kind: str,
    created: int,
    livemode: bool,
    api_version: str,
    data: Body,
    request: Mapping[str, Any],
) -> Body:
    """An event as Stripe sends and lists it."""
    return {
        "id": identifier,
        "object": "event",
        **({"account": account} if account else {}),
        "api_version": api_version,
        "created": created,
        "data": data,
        "livemode": livemode,
        "pending_webhooks": 0,
        "request": request,
        "type": kind,
    }
