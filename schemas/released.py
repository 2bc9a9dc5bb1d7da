"""The released set: the columns that records written so far have, and that therefore stay.

One file: per object type each column's name, kind, and Stripe's field where it is named otherwise.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import orjson

from schemas.columns import Column, ColumnKind

Released = Mapping[str, Mapping[str, str]]
"""Object name -> column name -> `kind` or `kind of field`."""


class KindChanged(Exception):
    """A released column would hold something else; the old name keeps the old kind for good."""


def read_released(path: Path | None = None) -> Released:
    """The released set; empty before the first release."""
    found = path or RELEASED_FILE
    released: Released = orjson.loads(found.read_bytes()) if found.exists() else {}
    return released


def released_form(columns: Iterable[Column]) -> dict[str, str]:
    """What the released set says of a type's columns."""
    return {
        column.name: column.kind.value
        if column.source == column.name
        else f"{column.kind.value} of {column.source}"
        for column in columns
    }


def with_released(
    object_name: str, columns: Iterable[Column], released: Released
) -> tuple[Column, ...]:
    """The columns, and after them those that were released and are no longer among them.

    Raises:
        KindChanged: a column is there but of another kind.
    """
    found = {column.name: column for column in columns}
    for name, form in released.get(object_name, {}).items():
        kept = _column(name, form)
        if name not in found:
            found[name] = kept
        elif found[name].kind is not kept.kind:
            raise KindChanged(f"{object_name}.{name}: {kept.kind} became {found[name].kind}")
    return tuple(found.values())


def _column(name: str, form: str) -> Column:
    kind, _, source = form.partition(" of ")
    return Column(
        name=name,
        source=source or name,
        kind=ColumnKind(kind),
        doc=f"Stripe's `{source or name}`, which the newest API version no longer has.",
    )


RELEASED_FILE: Final = Path(__file__).parent / "released.json"
