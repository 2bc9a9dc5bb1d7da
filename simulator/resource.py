"""What a type of object is to the HTTP layer: its fields, parameters, filters and operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from simulator.identifiers import LONG
from simulator.parameters import Parser, boolean, integer, merged_metadata, record, text
from simulator.session import Session
from simulator.state import INDEXED_FIELDS, Body

Create: TypeAlias = Callable[[Session, Body], Body]
Change: TypeAlias = Callable[[Session, Body, Body], Body]
Include: TypeAlias = Callable[[Session, Body], Any]
Hides: TypeAlias = Callable[[Session, Body, Body], bool]


def hides_nothing(_session: Session, _body: Body, _given: Body) -> bool:
    """Every object is in the list."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A list's filter: how its parameter is read and which objects it keeps.

    `indexed` is set where it asks for the value of one of `INDEXED_FIELDS`, as it stands;
    `by_order` where it asks for times of creation, by which the objects are in order.
    """

    parser: Parser
    keeps: Callable[[Body, Any], bool]
    indexed: bool = False
    by_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A verb of one object, such as `POST /v1/invoices/{id}/pay`."""

    run: Change
    parameters: Mapping[str, Parser] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One type of object.

    Args:
        name: Stripe's `object`.
        path: the part of the URL after `/v1/`.
        blank: every field that Stripe always sends, with the value of one not set.
        create, update, delete: None where Stripe has no such endpoint.
        actions: by the last part of their URL.
        filters: by parameter, besides the cursors.
        hides: keeps an object from a list that was asked for with these filters.
        lookup: finds the object that an id in the path names; None: only by its very id.
        references: dotted fields that hold the id (or the ids) of another object, and its type.
        included: fields that Stripe sends only when they are expanded.
    """

    name: str
    path: str
    prefix: str
    length: int = LONG
    blank: Mapping[str, Any]
    create: Create | None = None
    creatable: Mapping[str, Parser] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    update: Change | None = None
    updatable: Mapping[str, Parser] = field(default_factory=dict)
    delete: Change | None = None
    deletable: Mapping[str, Parser] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    listed: bool = True
    lookup: Callable[[Session, str], Body] | None = None
    hides: Hides = hides_nothing
    references: Mapping[str, str] = field(default_factory=dict)
    included: Mapping[str, Include] = field(default_factory=dict)


def fresh(session: Session, resource: Resource, given: Body, *, identifier: str = "") -> Body:
    """A new body: blank, with a new id (or `identifier`), the time, and what was given."""
    body: Body = {
        "id": identifier or session.make_id(resource.prefix, length=resource.length),
        "object": resource.name,
        **resource.blank,
    }
    if "created" in body:
        body["created"] = session.now
    if "livemode" in body:
        body["livemode"] = session.world.livemode
    return {**body, **changes(body, given)}


def changes(old: Body, given: Body) -> Body:
    """What the given parameters make of `old`: metadata merged, settings merged, others set."""
    made: Body = {}
    for name, value in given.items():
        before = old.get(name)
        if name == "metadata":
            made[name] = merged_metadata(before or {}, value)
        elif isinstance(before, dict) and isinstance(value, dict):
            made[name] = {**before, **value}
        else:
            made[name] = value
    return made


def equals(name: str, *, parser: Parser = text) -> Filter:
    """Keeps the objects whose field `name` has the asked value."""
    return Filter(
        parser=parser,
        keeps=lambda body, asked: bool(body[name] == asked),
        indexed=name in INDEXED_FIELDS,
    )


def within(name: str) -> Filter:
    """Keeps the objects whose time `name` is the asked one or in the asked range."""
    return Filter(parser=_range, keeps=lambda body, asked: in_range(body[name], asked))


def in_range(value: int | None, asked: Mapping[str, int] | int) -> bool:
    """Whether a time lies within `gt`, `gte`, `lt`, `lte`."""
    if value is None:
        return False
    if isinstance(asked, int):
        return value == asked
    return (
        value > asked.get("gt", value - 1)
        and value >= asked.get("gte", value)
        and value < asked.get("lt", value + 1)
        and value <= asked.get("lte", value)
    )


_BOUNDS = record({"gt": integer, "gte": integer, "lt": integer, "lte": integer})


def _range(name: str, raw: Any) -> Any:
    return _BOUNDS(name, raw) if isinstance(raw, dict) else integer(name, raw)


CREATED = {"created": replace(within("created"), by_order=True)}
ACTIVE = {"active": equals("active", parser=boolean)}
