"""Places: where in a body of one API version a value stands, and how such a place is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Pick(StrEnum):
    """Which element of a list on the way is meant."""

    NONE = ""
    """No list is on the way."""
    FIRST = "first"
    ONLY = "only"
    """The list's one element; of a longer or cut list, none."""
    LOWEST = "lowest"
    """The element with the lowest value of a field."""
    FLAGGED = "flagged"
    """The first element of which a field is true; the first if none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands in a body.

    Attributes:
        path: names from the body inwards.
        pick: which element of the one list on the way, which may be in Stripe's list envelope.
        by: the element's field that the pick goes by.
    """

    path: tuple[str, ...]
    pick: Pick = Pick.NONE
    by: str = ""

    @property
    def field(self) -> str:
        """The field of the body that the place is in."""
        return self.path[0]

    def find(self, body: Mapping[str, Any]) -> Any:
        """The value at this place; none where the body has no such place."""
        holder = self.holder(body)
        return None if holder is None else holder.get(self.path[-1])

    def holder(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the last name of the path is looked up in; several places may share it."""
        found: Any = body
        for name in self.path[:-1]:
            found = self._element(found.get(name))
            if not isinstance(found, dict):
                return None
        holder: Mapping[str, Any] = found
        return holder

    def put(self, body: dict[str, Any], value: Any) -> None:
        """Make the value stand at this place, to which no list may be on the way."""
        assert self.pick is Pick.NONE
        holder = body
        for name in self.path[:-1]:
            if not isinstance(holder.get(name), dict):
                holder[name] = {}
            holder = holder[name]
        holder[self.path[-1]] = value

    def _element(self, found: Any) -> Any:
        # Parsed JSON has plain dictionaries, and asking for an abstract class takes ten times as
        # long: this is asked of every record.
        if self.pick is Pick.NONE:
            return found
        more = False
        if isinstance(found, dict) and found.get("object") == "list":
            more, found = bool(found.get("has_more")), found.get("data")
        if not isinstance(found, list):
            return found
        if self.pick is Pick.ONLY:
            return found[0] if len(found) == 1 and not more else None
        return self._lowest(found) if self.pick is Pick.LOWEST else self._flagged(found)

    def _lowest(self, elements: list[Any]) -> Any:
        lowest, chosen = None, None
        for element in elements:
            value = element.get(self.by) if isinstance(element, dict) else None
            if isinstance(value, int) and (lowest is None or value < lowest):
                lowest, chosen = value, element
        return chosen

    def _flagged(self, elements: list[Any]) -> Any:
        first = None
        for element in elements:
            if isinstance(element, dict):
                if self.by and element.get(self.by):
                    return element
                first = element if first is None else first
        return first


def place_of(text: str) -> Place:
    """The place that is written `parent.quote_details.quote`, or `items[lowest end].start`."""
    found = _PICK.search(text)
    path = tuple(_PICK.sub("", text).split("."))
    if found is None:
        return Place(path=path)
    return Place(path=path, pick=Pick(found[1]), by=found[2] or "")


def place_text(place: Place) -> str:
    """The reverse of `place_of`: the pick stands behind the field that holds the list."""
    if place.pick is Pick.NONE:
        return ".".join(place.path)
    by = f" {place.by}" if place.by else ""
    return ".".join((f"{place.field}[{place.pick}{by}]", *place.path[1:]))


_PICK: Final = re.compile(r"\[(\w+)(?: (\w+))?\]")
