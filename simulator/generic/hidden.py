"""Rows that a plain list leaves out, and that the catalogue knows another reading for."""

from typing import Final

from schemas.endpoints import ListEndpoint, Ways
from simulator.generic.relations import relations
from simulator.session import Session
from simulator.state import Body

EVERY: Final = "all"
"""The value of a filter that asks for the rows that are hidden without it, too."""
ENDED: Final = frozenset({"canceled", "expired"})
OPEN_ONLY: Final = frozenset({"review"})
"""Types whose list shows what is open and nothing else."""


class Hidden:
    """Tells, called with an object, whether Stripe leaves it out of a list asked for so."""

    def __init__(self, ways: Ways) -> None:
        flat = [listed for listed in ways.lists if not listed.parent]
        paths = {listed.path for listed in flat}
        beside = [listed for listed in ways.lists if listed.parent and listed.path in paths]
        self._beside = [
            (listed, relations()[listed.parent, listed.object_name].field) for listed in beside
        ]
        readings = [(one, {} in listed.passes) for listed in flat for one in listed.passes]
        self._asked = [
            (name, value, beside_the_plain_one)
            for reading, beside_the_plain_one in readings
            for name, value in reading.items()
            if value == EVERY or beside_the_plain_one
        ]
        self._open_only = ways.object_name in OPEN_ONLY

    @property
    def any(self) -> bool:
        """Whether there are such rows at all."""
        return bool(self._beside or self._asked or self._open_only)

    def __call__(self, session: Session, body: Body, asked: Body) -> bool:
        """Whether the row is left out of a list with the filters `asked`."""
        if self._open_only and not body["open"]:
            return True
        for listed, field in self._beside:
            if listed.parent_field not in asked and _is_aside(session, listed, body.get(field)):
                return True
        for name, value, beside_the_plain_one in self._asked:
            here = body.get(name)
            if beside_the_plain_one:
                if here == value and asked.get(name) != value:
                    return True
            elif here in ENDED and name not in asked:
                return True
        return False


def _is_aside(session: Session, listed: ListEndpoint, parent: str | None) -> bool:
    """Whether the object of a parent is listed with that parent only."""
    if parent is None or not listed.only_parents_with:
        return parent is not None
    found = session.find(listed.parent, parent) or {}
    return found.get(listed.only_parents_with) is not None
