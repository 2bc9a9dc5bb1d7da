"""Stripe's form encoding: `items[0][price]=x&metadata[k]=v` to a tree of texts."""

from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import orjson

from simulator.errors import Refused

Raw: TypeAlias = "str | dict[str, Raw]"

DEPTH_MAX = 8
FIELDS_MAX = 5_000


def decode(encoded: str) -> dict[str, Raw]:
    """The tree of a form or a query string; a list stays a dict with its places as keys.

    Raises:
        Refused: brackets that do not match, a name used both as a value and as a parent.
    """
    tree: dict[str, Raw] = {}
    try:
        fields = parse_qsl(encoded, keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise Refused(f"A request has at most {FIELDS_MAX} parameters.") from None
    for name, value in fields:
        _plant(tree, _path(name), value, name=name)
    return tree


def from_json(encoded: bytes) -> dict[str, Raw]:
    """The tree of a JSON object, as the v2 API takes it, in the form that `decode` gives.

    Raises:
        Refused: it is no JSON object.
    """
    try:
        found = orjson.loads(encoded or b"{}")
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Refused("The request body is no JSON object.")
    return {name: _raw(value) for name, value in found.items()}


def _raw(value: Any) -> Raw:
    if isinstance(value, dict):
        return {name: _raw(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return {str(place): _raw(inner) for place, inner in enumerate(value)}
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _path(name: str) -> list[str]:
    first, bracket, rest = name.partition("[")
    if not bracket:
        return [name]
    if not rest.endswith("]"):
        raise _invalid(name)
    path = [first, *rest[:-1].split("][")]
    if len(path) > DEPTH_MAX or any("[" in part or "]" in part for part in path):
        raise _invalid(name)
    return path


def _plant(tree: dict[str, Raw], path: list[str], value: str, *, name: str) -> None:
    branch = tree
    for part in path[:-1]:
        below = branch.setdefault(part or str(len(branch)), {})
        if not isinstance(below, dict):
            raise _invalid(name)
        branch = below
    branch[path[-1] or str(len(branch))] = value


def _invalid(name: str) -> Refused:
    return Refused(f"Invalid parameter name: {name}", parameter=name)
