"""Which fields Stripe's objects had in which API versions, and which of them it has taken away.

Read from the generated `history.json`; `docs/schemas.md` says how it is made again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from schemas.shapes import Shape

HISTORY_FILE: Final = Path(__file__).parent / "history.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """One field of an object type, over the API versions.

    Attributes:
        first: the oldest version known to have it.
        last: the newest one.
        shape: of its values, in the newest version that had it.
        targets: object types that a reference or an embedded object may be of.
    """

    first: str
    last: str
    shape: Shape
    targets: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """How the file spells it: `2019-02-11 2025-02-24.acacia expandable invoice`."""
        return " ".join((self.first, self.last, self.shape.value, *self.targets))


def lifetime_of(text: str) -> Lifetime:
    """What `Lifetime.text` says."""
    first, last, shape, *targets = text.split()
    return Lifetime(first=first, last=last, shape=Shape(shape), targets=tuple(targets))


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Every field of every object type.

    Attributes:
        versions: the API versions that were read, oldest first, and what each was read from.
        fields: object name -> field -> when it stood.
    """

    versions: Mapping[str, str]
    fields: Mapping[str, Mapping[str, Lifetime]]

    @property
    def newest(self) -> str:
        """The newest version that was read."""
        return list(self.versions)[-1]

    def removed(self, object_name: str) -> dict[str, Lifetime]:
        """The fields that the newest version of an object type no longer has.

        Of a type that went as a whole, none: there is no newest shape to keep them beside.
        """
        found = self.fields.get(object_name, {})
        if all(field.last != self.newest for field in found.values()):
            return {}
        return {name: field for name, field in found.items() if field.last != self.newest}

    def after(self, version: str) -> str:
        """The next version that was read: from then on a field that was there last is gone."""
        return next(found for found in self.versions if found > version)


@cache
def load_history() -> History:
    """The history as it stands in the file."""
    found: dict[str, Any] = orjson.loads(HISTORY_FILE.read_bytes())
    return History(
        versions=found["versions"],
        fields={
            name: {field: lifetime_of(text) for field, text in fields.items()}
            for name, fields in found["objects"].items()
        },
    )
