"""Hypothesis strategies: any record that a schema of ours can hold, its extremes included."""

from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

LONGS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DOUBLES = st.floats(allow_nan=False)


def records(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Every field of the schema, null where it may be, timestamps as whole microseconds."""
    return st.fixed_dictionaries(dict(_fields(schema)))


def as_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The same rows, column by column."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, st.SearchStrategy[Any]]]:
    for field in schema["fields"]:
        branches = field["type"] if isinstance(field["type"], list) else [field["type"]]
        strategies = [_values(branch) for branch in branches]
        yield field["name"], st.one_of(strategies)


def _values(branch: Any) -> st.SearchStrategy[Any]:
    plain = branch["type"] if isinstance(branch, dict) else branch
    return {
        "null": st.none(),
        "string": TEXTS,
        "long": LONGS,
        "double": DOUBLES,
        "boolean": st.booleans(),
    }[plain]


def extreme_rows(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A record of each value that codecs get wrong, in every field that can hold it."""
    extremes: dict[str, list[Any]] = {
        "string": ["", "\x00", "é€😀", "x" * 70_000, "null", "{}"],
        "long": [-(2**63), 2**63 - 1, 0, -1, 63, 64],
        "double": [0.0, -0.0, 1e308, 5e-324, float("inf"), float("-inf")],
        "boolean": [True, False, True, False, True, False],
    }
    plain: dict[str, tuple[str, bool]] = {}
    for field in schema["fields"]:
        nullable = isinstance(field["type"], list)
        branch = field["type"][1] if nullable else field["type"]
        plain[field["name"]] = (branch["type"] if isinstance(branch, dict) else branch, nullable)
    rows = [{name: extremes[kind][i] for name, (kind, _) in plain.items()} for i in range(6)]
    nulls = {name: None if null else extremes[kind][0] for name, (kind, null) in plain.items()}
    return [*rows, nulls]
