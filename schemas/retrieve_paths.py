"""Where an object is retrieved, made of what its body says."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from schemas.endpoints import load_ways


def retrieve_path(object_name: str, body: Mapping[str, Any]) -> str | None:
    """The address of an object; none if there is none, or the body lacks what it is made of.

    Args:
        object_name: Stripe's name of the type.
        body: the object as it was seen.
    """
    ways = load_ways().get(object_name)
    for template in ways.retrieve if ways is not None else ():
        values = {name: _identifier(body.get(name)) for name in _FIELD.findall(template)}
        if all(values.values()):
            return template.format_map(
                {name: quote(value or "", safe="") for name, value in values.items()}
            )
    return None


def address_fields(object_name: str) -> frozenset[str]:
    """The fields of a body that its addresses are made of."""
    ways = load_ways().get(object_name)
    templates = ways.retrieve if ways is not None else ()
    return frozenset(name for template in templates for name in _FIELD.findall(template))


def _identifier(value: Any) -> str | None:
    """The id in a field that holds an id or the expanded object."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and found else None


_FIELD: Final = re.compile(r"{(\w+)}")
