"""The schemas against Stripe's own example objects: a source that the generator does not read."""

from typing import Any

import pytest

from schemas.columns import Column, ColumnKind
from schemas.objects import load_catalogue, record_key
from tests.official_examples import official_examples


@pytest.fixture(scope="module")
def examples() -> list[dict[str, Any]]:
    found = official_examples().values()
    return [body for body in found if load_catalogue().get(body["object"]).known]


def holds(column: Column, value: Any) -> bool:
    match column.kind:
        case ColumnKind.STRING | ColumnKind.DECIMAL:
            return isinstance(value, str)
        case ColumnKind.BOOLEAN:
            return isinstance(value, bool)
        case ColumnKind.INTEGER | ColumnKind.TIMESTAMP:
            return isinstance(value, int) and not isinstance(value, bool)
        case ColumnKind.FLOAT:
            return isinstance(value, int | float)
        case ColumnKind.REFERENCE:
            return isinstance(value, str) or isinstance(value.get("id"), str)
        case ColumnKind.JSON:
            return isinstance(value, dict | list)


def test_every_field_of_every_example_has_a_column(examples: list[dict[str, Any]]) -> None:
    unknown = {
        f"{body['object']}.{name}"
        for body in examples
        for name in body
        if name not in {column.source for column in load_catalogue().get(body["object"]).columns}
    }

    assert len(examples) > 100
    assert unknown == set()


def test_every_value_of_every_example_fits_its_column(examples: list[dict[str, Any]]) -> None:
    unfit = [
        f"{body['object']}.{column.name}: {column.kind}"
        for body in examples
        for column in load_catalogue().get(body["object"]).columns
        if body.get(column.source) is not None
        if not (holds(column, body[column.source]) or column.name == "id")
    ]

    assert unfit == []


def test_every_example_with_an_id_has_a_key(examples: list[dict[str, Any]]) -> None:
    without = [
        body["object"]
        for body in examples
        if record_key(load_catalogue().get(body["object"]), body, "") is None and body.get("id")
    ]

    assert without == []
