"""What can be read both ways is compatible; what cannot is said in words."""

import re
from typing import Any

import pytest

from schemas.compatibility import dropped, incompatibilities

NULLABLE = {"name": "a", "type": ["null", "string"], "default": None}
REQUIRED = {"name": "r", "type": "long"}
TIME = {"type": "long", "logicalType": "timestamp-micros"}


def record(*fields: dict[str, Any], name: str = "Thing") -> dict[str, Any]:
    return {"type": "record", "name": name, "namespace": "stripe", "fields": list(fields)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (record(NULLABLE), record(NULLABLE)),
        (record(), record(NULLABLE)),
        (record(NULLABLE, REQUIRED), record(REQUIRED, NULLABLE)),
        (record(NULLABLE), record({**NULLABLE, "doc": "other words", "sql.type": "jsonb"})),
        (
            record(NULLABLE),
            record({**NULLABLE, "type": ["null", {"type": "string", "connect.name": "x"}]}),
        ),
    ],
)
def test_what_can_be_read_both_ways_is_compatible(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert list(incompatibilities(before, after)) == []
    assert list(incompatibilities(after, before)) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (record(), record(REQUIRED), "the field r came without a default"),
        (record(REQUIRED), record(), "the field r went"),
        (record(NULLABLE), record({**NULLABLE, "type": ["null", "long"]}), "no longer be string"),
        (record(NULLABLE), record({**NULLABLE, "type": ["string"]}), "no longer be null"),
        (
            record(NULLABLE),
            record({**NULLABLE, "type": ["null", "string", "long"]}),
            "now be long",
        ),
        (
            record(REQUIRED),
            record({**REQUIRED, "type": TIME}),
            r"now be long \(timestamp-micros\)",
        ),
        (record(REQUIRED), record({**REQUIRED, "type": "double"}), "now be double"),
        (record(), record(name="Other"), "stripe.Thing became stripe.Other"),
    ],
)
def test_what_cannot_be_read_both_ways_is_said_in_words(
    before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    assert any(re.search(words, fault) for fault in incompatibilities(before, after))
    assert list(incompatibilities(after, before)) != []


def test_a_dropped_field_is_named_although_it_is_compatible() -> None:
    assert dropped(record(NULLABLE, REQUIRED), record(REQUIRED)) == ["a"]
    assert list(incompatibilities(record(NULLABLE, REQUIRED), record(REQUIRED))) == []
