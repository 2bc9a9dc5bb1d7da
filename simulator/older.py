"""An object in an older shape: what came later is gone, what was moved stands where it stood.

Made from the data that tell what Stripe moved when; `lookups.py` has what only other objects tell.
"""

from functools import cache

from schemas.history import Lifetime, load_history
from schemas.moved import Moved, load_moves
from schemas.shapes import Shape
from simulator.lookups import LOOKUPS, SENT_UNTIL, object_named
from simulator.state import Body, State

ALWAYS = frozenset({"id", "object"})


def older(body: Body, version: str, state: State) -> Body:
    """The body of one object, in the newest shape, as a version older than the newest had it.

    What is embedded in it stays in its newest shape.
    """
    name = body["object"]
    shown = {field: value for field, value in body.items() if _has(name, field, version)}
    for field, lifetime in _gone(name).items():
        if not _stands(lifetime, version):
            continue
        lookup = LOOKUPS.get((name, field))
        if lookup is not None:
            shown[field] = lookup(state, body)
        else:
            _put(shown, field, lifetime, body=body, state=state)
    for field, (until, included) in SENT_UNTIL.get(name, {}).items():
        if version < until and field not in shown:
            shown[field] = included(state, body)
    return shown


def _put(shown: Body, field: str, lifetime: Lifetime, *, body: Body, state: State) -> None:
    """Put what a field held where it stood; null where nothing tells it."""
    if field not in shown:
        shown[field] = [] if lifetime.shape is Shape.LIST else None
    for move in _moves(body["object"]).get(field, ()):
        value = move.new.find(body)
        assert move.older is not None
        if value is None or (found := move.older(value)) is None:
            continue
        if lifetime.shape is Shape.RESOURCE and isinstance(found, str):
            found = object_named(state, lifetime.targets[0], found)
        move.old.put(shown, found)
        if len(move.old.path) == 1:
            return


def _has(name: str, field: str, version: str) -> bool:
    lifetime = load_history().fields.get(name, {}).get(field)
    return field in ALWAYS or lifetime is None or lifetime.first <= version


def _stands(lifetime: Lifetime, version: str) -> bool:
    return lifetime.first <= version < load_history().after(lifetime.last)


@cache
def _gone(name: str) -> dict[str, Lifetime]:
    return load_history().removed(name)


@cache
def _moves(name: str) -> dict[str, list[Moved]]:
    """The moves that lead back, by the field of the old place."""
    found: dict[str, list[Moved]] = {}
    for move in load_moves().by_type.get(name, ()):
        if move.older is not None:
            found.setdefault(move.old.field, []).append(move)
    return found
