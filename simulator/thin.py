"""Thin events: what changed by name only, for the receiver to fetch."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.retrieve_paths import retrieve_path
from simulator.state import Body

OBJECT = "v2.core.event"
PREFIX = "v1."
IDENTIFIER_CHARACTERS = 32

SNAPSHOTS_ONLY = (
    "apps.install.",
    "customer.source.",
    "financial_connections.authorization.",
    "reporting.",
    "reserve.",
    "source.mandate_notification",
    "source.transaction.",
    "three_d_secure.",
    "treasury.",
)
"""How the event types begin of which Stripe has no thin ones."""
WITHOUT_OBJECT = (
    "account.application.",
    "account.external_account.",
    "billing.meter.no_meter_found",
    "billing_portal.session.",
    "customer.discount.source_changed",
    "entitlements.active_entitlement_summary.",
    "invoice.upcoming",
)
"""Those whose thin events name no object."""
WITHOUT_ID = (
    "balance.",
    "balance_settings.",
    "cash_balance.",
    "customer.discount.",
    "tax.settings.",
)
"""Those whose object is the only one of its kind where it stands: it is named by its address."""


def has_thin(kind: str) -> bool:
    """Whether Stripe has a thin event beside the snapshot event of this type."""
    return not kind.startswith(SNAPSHOTS_ONLY)


def thin_event(
    *,
    identifier: str,
    account: str,
    kind: str,
    millis: int,
    livemode: bool,
    subject: Body,
    previous: Body | None,
    request: Mapping[str, Any],
    snapshot: str | None,
) -> Body:
    """A thin event as `/v2/core/events` shows it.

    Args:
        identifier: its id.
        account: whose change it is; empty for the platform.
        kind: its type, as the snapshot event spells it.
        millis: unix time of the change, in milliseconds.
        livemode: whether the objects are live ones.
        subject: the object after the change.
        previous: what the change replaced, as in a snapshot event.
        request: `id` and `idempotency_key` of the request behind it.
        snapshot: id of the snapshot event of the same change, if there is one.
    """
    event: Body = {
        "id": identifier,
        "object": OBJECT,
        "type": PREFIX + kind,
        "created": instant(millis),
        "livemode": livemode,
        "context": account or None,
        "reason": {"type": "request", "request": dict(request)} if request["id"] else None,
    }
    if not kind.startswith(WITHOUT_OBJECT):
        event["related_object"] = _related(kind, subject)
    if snapshot is not None:
        event["snapshot_event"] = snapshot
    if previous:
        event["changes"] = {"before": previous, "after": _now(previous, subject)}
    return event


def notification(event: Body, *, details: bool) -> Body:
    """What is posted of a thin event.

    Args:
        event: as `/v2/core/events` shows it.
        details: whether it also tells the snapshot event and the changes.
    """
    if details:
        return event
    return {name: event[name] for name in event.keys() - {"changes", "snapshot_event"}}


def instant(millis: int) -> str:
    """A time as the v2 API writes it."""
    whole = datetime.fromtimestamp(millis // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{millis % 1_000:03}Z"


def _related(kind: str, subject: Body) -> Body:
    related: Body = {"type": subject["object"], "url": _address(kind, subject)}
    return related if kind.startswith(WITHOUT_ID) else {"id": subject["id"], **related}


def _address(kind: str, subject: Body) -> str:
    if kind.startswith("customer.discount."):
        return f"/v1/customers/{subject['customer']}/discount"
    path = retrieve_path(subject["object"], subject)
    return path or f"/v1/{subject['object'].replace('.', '/')}s/{subject.get('id', '')}"


def _now(previous: Body, subject: Mapping[str, Any]) -> Body:
    """What the object holds where `previous` tells what it held."""
    now: Body = {}
    for name, before in previous.items():
        after = subject.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            now[name] = _now(before, after)
        else:
            now[name] = after
    return now
