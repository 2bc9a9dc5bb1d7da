"""Finds, for a batch of bodies, where the values are that newer API versions moved."""

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.places import Place


class Holders:
    """Where in the bodies of a batch the places of moved values are, each looked for once."""

    def __init__(self, parsed: Mapping[str, Sequence[Any]]) -> None:
        """Look into these fields of the bodies, row by row."""
        self._parsed = parsed
        self._found: dict[tuple[tuple[str, ...], str, str], list[Mapping[str, Any] | None]] = {}

    def of(self, place: Place) -> list[Mapping[str, Any] | None]:
        """What holds the place's value, row by row."""
        wanted = (place.path[:-1], place.lowest, place.flagged)
        found = self._found.get(wanted)
        if found is None:
            root = place.path[0]
            rows = self._parsed.get(root, ())
            found = self._found[wanted] = [place.holder({root: row}) for row in rows]
        return found
