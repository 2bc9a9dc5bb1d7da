"""The history of fields: made from files of two kinds, and complete up to the pinned package."""

import json
import zipfile
from pathlib import Path

import pytest

from schemas import generate_history
from schemas.generate_annotations import API_VERSION
from schemas.history import Lifetime, lifetime_of, load_history
from schemas.moved import load_moves
from schemas.objects import load_catalogue
from schemas.shapes import Shape

SPECIFICATION = {
    "info": {"version": "2019-02-19"},
    "components": {
        "schemas": {
            "thing": {
                "x-resourceId": "thing",
                "properties": {
                    "object": {"enum": ["thing"], "type": "string"},
                    "name": {"type": "string"},
                    "colour": {"anyOf": [{"type": "string"}, {"enum": [""], "type": "string"}]},
                    "share_decimal": {"type": "string", "format": "decimal"},
                    "owner": {
                        "anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/person"}],
                        "x-expansionResources": {},
                    },
                    "place": {"$ref": "#/components/schemas/place"},
                    "person": {"$ref": "#/components/schemas/person"},
                    "tags": {"type": "array"},
                    "parts": {"type": "object", "properties": {"data": {}}},
                    "metadata": {"type": "object", "additionalProperties": {}},
                },
            },
            "deleted_thing": {
                "properties": {"object": {"enum": ["thing"]}, "deleted": {"type": "boolean"}}
            },
            "person": {"properties": {"object": {"enum": ["person"]}}},
            "place": {"properties": {"city": {"type": "string"}}},
        }
    },
}
MODULE = '''
class Thing(StripeObject):
    OBJECT_NAME: ClassVar[Literal["thing"]] = "thing"
    class Place(StripeObject):
        city: str
    kind: Literal["a", "b"]
    share_decimal: Optional[str]
    """ Words. """
    owner: Optional[ExpandableField["Person"]]
    place: Optional[Place]
    person: "Person"
    deleted: Optional[Literal[True]]
    tags: List["Person"]
    parts: ListObject["Person"]
    metadata: Dict[str, str]
    _hidden: int

class Person(StripeObject):
    OBJECT_NAME: ClassVar[Literal["person"]] = "person"
    object: Literal["person"]
'''


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A specification of one version and a wheel of the next one."""
    specification = tmp_path / "abc123.json"
    specification.write_text(json.dumps(SPECIFICATION))
    wheel = tmp_path / "stripe-7.14.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("stripe/_api_version.py", 'CURRENT = "2023-10-16"')
        archive.writestr("stripe/_thing.py", MODULE)
    return [wheel, specification]


def test_a_field_is_told_by_its_first_and_last_version_and_its_newest_shape(
    files: list[Path],
) -> None:
    found = generate_history.history(generate_history.read_file(path) for path in files)

    assert found == {
        "versions": {"2019-02-19": "stripe/openapi abc123", "2023-10-16": "stripe 7.14.0"},
        "objects": {
            "line_item": {"unique_id": "2019-02-11 2019-11-05 string"},
            "person": {"object": "2019-02-19 2023-10-16 enum"},
            "thing": {
                "colour": "2019-02-19 2019-02-19 string",
                "deleted": "2023-10-16 2023-10-16 boolean",
                "kind": "2023-10-16 2023-10-16 enum",
                "metadata": "2019-02-19 2023-10-16 map",
                "name": "2019-02-19 2019-02-19 string",
                "object": "2019-02-19 2019-02-19 enum",
                "owner": "2019-02-19 2023-10-16 expandable person",
                "parts": "2019-02-19 2023-10-16 page",
                "person": "2019-02-19 2023-10-16 resource person",
                "place": "2019-02-19 2023-10-16 nested",
                "share_decimal": "2019-02-19 2023-10-16 decimal",
                "tags": "2019-02-19 2023-10-16 list",
            },
        },
    }


def test_the_same_specification_in_yaml_says_the_same(files: list[Path]) -> None:
    # JSON is YAML.
    in_yaml = files[1].with_suffix(".yaml")
    in_yaml.write_bytes(files[1].read_bytes())

    assert generate_history.read_file(in_yaml) == generate_history.read_file(files[1])


def test_a_lifetime_is_read_as_it_is_written() -> None:
    lifetime = Lifetime(
        first="2019-02-11", last="2025-02-24.acacia", shape=Shape.EXPANDABLE, targets=("a", "b")
    )

    assert lifetime_of(lifetime.text) == lifetime


def test_the_history_reaches_from_2019_to_the_pinned_package() -> None:
    versions = list(load_history().versions)

    assert versions == sorted(versions)
    assert versions[0].startswith("2019-")
    assert versions[-1] == API_VERSION, "make history.json again; see docs/schemas.md"


def test_every_field_that_stripe_removed_since_2019_has_a_column() -> None:
    history = load_history()
    missing = [
        f"{found.name}.{field}"
        for found in load_catalogue()
        for field in history.removed(found.name)
        if field not in {column.source for column in found.columns}
    ]

    assert sum(len(history.removed(name)) for name in history.fields) > 100
    assert missing == []


def test_every_removed_field_has_moved_or_a_reason_why_not() -> None:
    history, moves = load_history(), load_moves()
    removed = {
        f"{name}.{field}" for name in load_catalogue().names() for field in history.removed(name)
    }
    moved = {f"{name}.{m.old.field}" for name, several in moves.by_type.items() for m in several}

    assert removed - moved == moves.unmoved.keys()


def test_a_field_that_still_stands_fills_others_and_is_filled_by_none() -> None:
    history = load_history()
    standing = [
        move
        for name, several in load_moves().by_type.items()
        for move in several
        if move.old.field not in history.removed(name)
    ]

    assert standing
    assert all(move.older is None for move in standing)


def test_a_type_that_went_as_a_whole_has_no_removed_fields() -> None:
    history = load_history()

    assert "usage_record" in history.fields
    assert history.removed("usage_record") == {}


def test_no_arguments_are_told_how_to() -> None:
    assert generate_history.main([]) == 2
