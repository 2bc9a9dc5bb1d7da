"""Which event says that an object was made, changed or deleted; many types say nothing."""

from typing import Final, Literal

from schemas.objects import load_catalogue
from simulator.state import Body

Verb = Literal["created", "updated", "deleted"]

SILENT: Final = frozenset({"capability", "person"})
"""Their events are those of connected accounts, which the accounts' own endpoints say."""
OF_CUSTOMERS: Final = frozenset({"bank_account", "card", "source"})
"""Said where a customer pays with them, and not where an account is paid through them."""
NAMED_OTHERWISE: Final = {("charge", "created"): "charge.succeeded"}


def event_type(name: str, verb: Verb, body: Body) -> str | None:
    """The type of the event; None where Stripe has none."""
    if name in SILENT:
        return None
    if name in OF_CUSTOMERS:
        return f"customer.source.{verb}" if body.get("customer") else None
    special = NAMED_OTHERWISE.get((name, verb))
    if special is not None:
        return special
    types = [one for one in load_catalogue().get(name).event_types if one.endswith(f".{verb}")]
    own = {f"{name}.{verb}", f"{name.replace('.', '_')}.{verb}"}
    return next((one for one in types if one in own), types[0] if types else None)
