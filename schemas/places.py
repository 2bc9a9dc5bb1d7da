"""Places: where in a body of one API version a value stands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands in a body.

    Attributes:
        path: names from the body inwards. A list on the way stands for one of its elements, and
            Stripe's list envelope for its `data`.
        lowest: of a list, the element with the lowest value of this field; the first if empty.
        flagged: of a list, the first element where this field is true; the first if none is.
    """

    path: tuple[str, ...]
    lowest: str = ""
    flagged: str = ""

    def find(self, body: Mapping[str, Any]) -> Any:
        """The value at this place; none where the body has no such place."""
        holder = self.holder(body)
        return None if holder is None else holder.get(self.path[-1])

    def holder(self, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the last name of the path is looked up in; several places may share it."""
        found: Any = body
        for name in self.path[:-1]:
            found = self._element(found)
            if not isinstance(found, dict):
                return None
            found = found.get(name)
        found = self._element(found)
        return found if isinstance(found, dict) else None

    def _element(self, found: Any) -> Any:
        # Parsed JSON has plain dictionaries, and asking for an abstract class takes ten times as
        # long: this is asked of every record.
        if isinstance(found, dict) and found.get("object") == "list":
            found = found.get("data")
        if not isinstance(found, list):
            return found
        return self._lowest(found) if self.lowest else self._flagged(found)

    def _lowest(self, elements: list[Any]) -> Any:
        lowest, chosen = None, None
        for element in elements:
            value = element.get(self.lowest) if isinstance(element, dict) else None
            if value is not None and (lowest is None or value < lowest):
                lowest, chosen = value, element
        return chosen

    def _flagged(self, elements: list[Any]) -> Any:
        first = None
        for element in elements:
            if isinstance(element, dict):
                if self.flagged and element.get(self.flagged):
                    return element
                first = element if first is None else first
        return first


def find(body: Mapping[str, Any], places: tuple[Place, ...]) -> Any:
    """The first value that is not null at any of the places, newest first."""
    return next((value for place in places if (value := place.find(body)) is not None), None)
