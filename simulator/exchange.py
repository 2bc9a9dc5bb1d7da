"""A request and its answer, as the parts of the simulator hand them to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request: header names in lower case, the query without its question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def pretty(body: Any) -> bytes:
    """JSON as Stripe sends it: indented by two."""
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)


def indented(encoded: bytes) -> bytes:
    """What `pretty` gave, as it stands in the `data` of a list's answer."""
    return encoded.replace(b"\n", b"\n    ")


def json_answer(body: Any, *, status: int = 200) -> Answer:
    """An answer of the control endpoints."""
    headers = (("Content-Type", "application/json"),)
    return Answer(status=status, headers=headers, body=pretty(body))
