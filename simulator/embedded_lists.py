"""Lists inside objects, as Stripe shows them."""

from simulator.state import Body


def empty_list(url: str) -> Body:
    """A list without elements."""
    return {"object": "list", "data": [], "has_more": False, "url": url}


def short_list(bodies: list[Body], *, url: str, count_max: int = 10) -> Body:
    """A list inside an object: the first few only, as in every event."""
    return {
        "object": "list",
        "data": bodies[:count_max],
        "has_more": len(bodies) > count_max,
        "url": url,
    }
