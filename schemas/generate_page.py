"""The page beside the schemas: which object types have one, and which have none and why."""

from collections.abc import Mapping, Sequence

from schemas.columns import Column
from schemas.topics import table_name


def page(
    columns: Mapping[str, Sequence[Column]],
    keys: Mapping[str, Sequence[str]],
    events: Mapping[str, Sequence[str]],
    not_stored: Mapping[str, str],
) -> str:
    """The page in Markdown."""
    return "\n".join(
        [
            "# Object types and their schemas",
            "",
            "Written by `make schemas`; do not edit. One file for each type, named for its table.",
            "",
            f"## {len(columns)} types with a schema",
            "",
            "| Object | Schema | Columns | Key | Event types |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| `{name}` | [{table_name(name)}]({table_name(name)}.avsc) | {len(found)} "
                f"| {_key(name, keys[name])} | {_count(name, events)} |"
                for name, found in columns.items()
            ),
            "",
            "A key of several fields is joined by colons and stands in the column `id`.",
            "",
            f"## {len(not_stored)} types without a schema",
            "",
            "| Object | Why |",
            "| --- | --- |",
            *(f"| `{name}` | {why} |" for name, why in sorted(not_stored.items())),
            "",
            "## Everything else",
            "",
            "A type that is in neither table, such as those of the v2 API, still flows: its",
            "record has `id`, `object`, `created` and `livemode`, and the rest in `extra`.",
            "",
        ]
    )


def _key(name: str, fields: Sequence[str]) -> str:
    return ", ".join(f"`{field}`" for field in fields) or f"one for each account: `{name}`"


def _count(name: str, events: Mapping[str, Sequence[str]]) -> int:
    return sum(name in objects for objects in events.values())
