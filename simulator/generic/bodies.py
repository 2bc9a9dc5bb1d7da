"""A new object's body, from the shapes of its fields: all that Stripe always sends is there."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from schemas.endpoints import Ways, load_ways
from schemas.shapes import Fields, FieldShape, Shape, load_shapes
from simulator.embedded_lists import empty_list
from simulator.generic.prefixes import prefix_of
from simulator.identifiers import Identifiers
from simulator.state import Body
from simulator.stock import CREATED, IDENTIFIER, NUMBER

AMOUNT_MAX: Final = 1_000
EMBEDDED_DEPTH_MAX: Final = 2
ON_AT_FIRST: Final = frozenset({"active", "enabled", "charges_enabled", "payouts_enabled", "open"})
"""Booleans that a new object has true."""
NUMBERS: Final = {"exp_month": 8, "exp_year": 2039}
ONLY_WHEN_DELETED: Final = "deleted"
TEXTS: Final = {
    "country": "US",
    "currency": "usd",
    "email": f"someone{NUMBER}@example.com",
    "url": f"https://example.com/{NUMBER}",
}
TYPES: Final = {"payment_method": "card", "scope": "account", "source": "card"}
"""The type of a new object, where the first in the list would be an odd one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes the bodies of new objects, as templates.

    Args:
        identifiers: what is drawn from.
        now: what every time but `created` is.
        livemode: whether the objects are live ones.
    """

    identifiers: Identifiers
    now: int
    livemode: bool

    def template(self, name: str) -> Body:
        """A body of the type `name`, to be rendered by a stock."""
        return self._object(name, depth=0)

    def _object(self, name: str, *, depth: int) -> Body:
        ways, fields = load_ways().get(name), load_shapes()[name]
        made = self._fields(name, fields, depth=depth)
        first: Body = {"id": made["id"]} if "id" in made else {}
        body: Body = {**first, "object": name} | {**made, "object": name}
        for field in [field for field, one in fields.items() if one.shape is Shape.PAGE]:
            body.pop(field)
            if not _only_expanded(ways, field):
                body[field] = empty_list(_address(ways, field))
        if depth:
            body["id"] = self.identifiers.make(prefix_of(name))
            body |= {"created": self.now} if "created" in body else {}
        return body

    def _fields(self, owner: str, fields: Fields, *, depth: int) -> Body:
        chosen = self._type(owner, fields)
        made: Body = {}
        for name, one in fields.items():
            if name == ONLY_WHEN_DELETED or (one.of_type and name != chosen):
                continue
            made[name] = chosen if name == "type" and chosen else self._value(name, one, depth)
        return made

    def _type(self, owner: str, fields: Fields) -> str:
        kind = fields.get("type")
        if kind is None or kind.shape is not Shape.ENUM or kind.nullable:
            return ""
        return TYPES.get(owner) or next(
            (name for name in kind.values if name in fields), kind.values[0]
        )

    def _value(self, name: str, one: FieldShape, depth: int) -> Any:
        if one.nullable and not one.of_type:
            return {} if name == "metadata" else None
        match one.shape:
            case Shape.STRING:
                return self._text(name)
            case Shape.ENUM:
                return "active" if "active" in one.values else one.values[0]
            case Shape.BOOLEAN:
                return self.livemode if name == "livemode" else name in ON_AT_FIRST
            case Shape.INTEGER:
                return self._integer(name, one)
            case Shape.FLOAT | Shape.DECIMAL:
                amount = self.identifiers.number(name, at_most=AMOUNT_MAX) / 8
                return amount if one.shape is Shape.FLOAT else str(amount)
            case _:
                return self._composed(name, one, depth)

    def _composed(self, name: str, one: FieldShape, depth: int) -> Any:
        match one.shape:
            case Shape.EXPANDABLE:
                return self.identifiers.make(prefix_of(one.targets[0]))
            case Shape.RESOURCE:
                return self._embedded(one, depth)
            case Shape.NESTED:
                return self._fields(name, one.fields, depth=depth)
            case _:
                return [] if one.shape is Shape.LIST else {}

    def _text(self, name: str) -> str:
        if name == "id":
            return IDENTIFIER
        named = _named_types().get(name)
        if named is not None:
            return self.identifiers.make(prefix_of(named))
        return TEXTS.get(name, f"{name.replace('_', ' ')} {NUMBER}")

    def _integer(self, name: str, one: FieldShape) -> int:
        if name == "created":
            return CREATED
        if one.time:
            return self.now
        return NUMBERS.get(name) or self.identifiers.number(name, at_most=AMOUNT_MAX)

    def _embedded(self, one: FieldShape, depth: int) -> Body | None:
        name = next((target for target in one.targets if target in load_shapes()), None)
        if name is None or depth == EMBEDDED_DEPTH_MAX:
            return None
        return self._object(name, depth=depth + 1)


@cache
def _named_types() -> dict[str, str]:
    """The types whose ids stand in text fields, by the fields' names: `financial_account`."""
    return {name.rpartition(".")[2]: name for name in reversed(list(load_shapes()))}


def _only_expanded(ways: Ways | None, field: str) -> bool:
    children = ways.children if ways is not None else ()
    return any(child.field == field and child.expanded_only for child in children)


def _address(ways: Ways | None, field: str) -> str:
    children = ways.children if ways is not None else ()
    found = next((child.path for child in children if child.field == field), "")
    return found.replace("{id}", IDENTIFIER)
