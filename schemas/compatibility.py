"""Whether two versions of a schema can read each other's records, decided without a registry.

Knows the Avro that this package writes: one record whose fields are primitives, logical types, or
a union of null and one of these. Where Avro would promote one type to another, this says no: a
column holds what it always held.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final


def incompatibilities(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Iterator[str]:
    """What keeps records of one version from being read with the other, in words; nothing is good.

    Checked in both directions, so the order of the two does not matter but for the words.
    """
    if _full_name(earlier) != _full_name(later):
        yield f"the record {_full_name(earlier)} became {_full_name(later)}"
    before = {field["name"]: field for field in earlier["fields"]}
    after = {field["name"]: field for field in later["fields"]}
    for name, field in before.items():
        if name not in after and "default" not in field:
            yield f"the field {name} went, and the earlier version has no default for it"
        if name in after:
            yield from _between(name, field["type"], after[name]["type"])
    for name, field in after.items():
        if name not in before and "default" not in field:
            yield f"the field {name} came without a default"


def dropped(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> list[str]:
    """The fields that the later version lacks: Avro allows it, but a column loses its source."""
    kept = {field["name"] for field in later["fields"]}
    return [field["name"] for field in earlier["fields"] if field["name"] not in kept]


def _between(name: str, before: Any, after: Any) -> Iterator[str]:
    written, read = _branches(before), _branches(after)
    for lost in sorted(written - read):
        yield f"the field {name} may no longer be {lost}"
    for new in sorted(read - written):
        yield f"the field {name} may now be {new}, which the earlier version cannot read"


def _branches(avro_type: Any) -> frozenset[str]:
    branches = avro_type if isinstance(avro_type, list) else [avro_type]
    return frozenset(
        _PHYSICAL_AND_LOGICAL.format(branch["type"], branch["logicalType"])
        if isinstance(branch, dict) and "logicalType" in branch
        else branch["type"]
        if isinstance(branch, dict)
        else branch
        for branch in branches
    )


def _full_name(schema: Mapping[str, Any]) -> str:
    return f"{schema.get('namespace', '')}.{schema['name']}"


_PHYSICAL_AND_LOGICAL: Final = "{} ({})"
