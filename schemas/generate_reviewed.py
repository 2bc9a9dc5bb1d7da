"""What no annotation tells and a person looked up: the lists of `reviewed.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """The reviewed lists.

    Attributes:
        times: integer fields, by name, that are seconds since 1970.
        numbers: integer fields that are no such time.
        references: text fields that are another object's id, in every type.
        references_of_one_type: the same, as `type.field`.
        natural_keys: the fields that tell an object from others of its type, where no id does.
        without_parent: types, listed by parent or in it, whose body does not say whose they are.
        not_stored: types without a schema, and why.
    """

    times: frozenset[str]
    numbers: frozenset[str]
    references: frozenset[str]
    references_of_one_type: frozenset[str]
    natural_keys: Mapping[str, tuple[str, ...]]
    without_parent: frozenset[str]
    not_stored: Mapping[str, str]


def read_reviewed() -> Reviewed:
    """The lists as they stand in the file beside this module."""
    lists = orjson.loads((Path(__file__).parent / "reviewed.json").read_bytes())
    return Reviewed(
        times=frozenset(lists["integers that are seconds since 1970"]),
        numbers=frozenset(lists["integers that are no time"])
        | frozenset(lists["integers that are milliseconds since 1970 and stay numbers"]),
        references=frozenset(lists["texts that are the id of another object"]),
        references_of_one_type=frozenset(
            lists["texts that are the id of another object in one type only"]
        ),
        natural_keys={
            name: tuple(fields)
            for name, fields in lists[
                "keys of objects without an id that tells them apart"
            ].items()
        },
        without_parent=frozenset(lists["children that do not say whose they are"]),
        not_stored=lists["types without a schema"],
    )
