"""The name under which Stripe counts the requests to an address: the address without its ids."""

from functools import cache
from typing import Final

from schemas.endpoints import load_ways

PLACE: Final = "{}"


def endpoint_name(address: str) -> str:
    """`/v1/customers/cus_1/tax_ids` -> `/v1/customers/{}/tax_ids`.

    Args:
        address: a path without parameters.
    """
    known = _beginnings()
    shown: tuple[str, ...] = ()
    for part in address.split("/"):
        # Ids that a merchant chose look like words, so it is their place that tells.
        is_id = (*shown, part) not in known and (*shown, PLACE) in known
        shown = (*shown, PLACE if is_id else part)
    return "/".join(shown)


@cache
def _beginnings() -> frozenset[tuple[str, ...]]:
    """Every beginning of every known address, in parts, with `{}` in each id's place."""
    found = set()
    for ways in load_ways().values():
        lists = (endpoint.path for endpoint in ways.lists)
        children = (child.path for child in ways.children)
        for template in (*lists, *ways.retrieve, *children):
            parts = tuple(PLACE if part.startswith("{") else part for part in template.split("/"))
            found |= {parts[:length] for length in range(1, len(parts) + 1)}
    return frozenset(found)
