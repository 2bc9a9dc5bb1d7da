"""Many objects of one kind kept as one template and a number each: a big account in little memory.

A row is rendered when somebody looks at it: as the bytes of an answer, or as a body to work with.
"""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from simulator.exchange import indented

IDENTIFIER: Final = "\ue000"
"""Stands in a template's texts for the object's id; a character of nobody's language."""
NUMBER: Final = "\ue001"
"""Stands in a template's texts for the object's place among those made, from 0."""
CREATED: Final = 8_888_888_888_888_888
"""Stands in a template for the time at which the object was made."""

_MARKS: Final = re.compile(rb"\xee\x80\x80|\xee\x80\x81|8888888888888888")
_NAMES: Final = {
    IDENTIFIER.encode(): b"%(identifier)b",
    NUMBER.encode(): b"%(number)d",
    str(CREATED).encode(): b"%(created)d",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the objects were made: evenly over `seconds`, from `first` on."""

    first: int
    seconds: int
    count: int

    def of(self, number: int) -> int:
        """When the object with this number was made."""
        return self.first + number * self.seconds // self.count


class Stock:
    """Objects that differ by their id, their number and their time of creation.

    Args:
        template: a body with `IDENTIFIER`, `NUMBER` and `CREATED` where these belong.
        times: when which was made.
    """

    def __init__(self, template: dict[str, Any], *, times: Times) -> None:
        self.template = template
        self.times = times
        whole = orjson.dumps(template, option=orjson.OPT_INDENT_2).replace(b"%", b"%%")
        self._whole = _MARKS.sub(lambda mark: _NAMES[mark[0]], whole)
        self._indented = indented(self._whole)

    def body(self, identifier: str, number: int) -> dict[str, Any]:
        """One of the objects, to be worked with."""
        body: dict[str, Any] = orjson.loads(self._whole % self._values(identifier, number))
        return body

    def element(self, identifier: str, number: int) -> bytes:
        """One of the objects as it stands in a list's answer."""
        return self._indented % self._values(identifier, number)

    def _values(self, identifier: str, number: int) -> dict[bytes, bytes | int]:
        return {
            b"identifier": identifier.encode(),
            b"number": number,
            b"created": self.times.of(number),
        }


Row: TypeAlias = tuple[Stock, int]
"""One object of a stock: which stock, and its number in it."""
