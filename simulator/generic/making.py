"""Objects made, changed and removed by control: of any type, one or a hundred thousand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.objects import load_catalogue
from schemas.shapes import load_shapes
from simulator.errors import Refused, wrong_parameter
from simulator.generic.bodies import Maker
from simulator.generic.event_types import event_type
from simulator.generic.families import OF_ACCOUNTS, children_in, show_in_parents
from simulator.generic.prefixes import prefix_of
from simulator.generic.relations import relations, relations_of
from simulator.resource import Resource, changes
from simulator.session import Session
from simulator.state import Body
from simulator.stock import IDENTIFIER, Stock, Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be made.

    Args:
        name: Stripe's `object`.
        count: how many.
        fields: what their bodies show beside what is made up; also the ids of parents.
        children: how many elements each embedded list has, by field.
        events: whether the types' own events are said.
        created: when the first is made; None for now.
        over_seconds: the others follow evenly over this time.
    """

    name: str
    count: int = 1
    fields: Mapping[str, Any] = field(default_factory=dict)
    children: Mapping[str, int] = field(default_factory=dict)
    events: bool = True
    created: int | None = None
    over_seconds: int = 0


class Making:
    """Makes, changes and removes objects.

    Args:
        resources: those that are written by hand; their bodies have these fields.
    """

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self._resources = resources

    def make(self, session: Session, order: Order) -> list[str]:
        """The ids of the new objects, oldest first.

        Raises:
            Refused: no such type, or what is to be made exists.
        """
        name = order.name
        self._check(name)
        order = _with_time(order)
        for child in order.children:
            if not children_in(name, child):
                raise wrong_parameter("children", f"A {name} has no list {child} of its own.")
        session = _home(session, name, order.fields)
        template, unseen = self._template(session, name, order.fields)
        times = Times(
            first=session.now if order.created is None else order.created,
            seconds=order.over_seconds,
            count=order.count,
        )
        collection = session.world.state[name]
        identifiers = _identifiers(session, name, order, template)
        if any(collection.place(identifier) is not None for identifier in identifiers):
            raise Refused(f"The {name} exists already.", code="resource_already_exists")
        collection.put_stock(Stock(template, times=times), identifiers, unseen=unseen)
        for identifier in identifiers if name in OF_ACCOUNTS else ():
            session.connect(identifier)
        for identifier in identifiers if order.children else ():
            self._add_children(session, order, identifier)
        if order.events:
            self._say_created(session, name, identifiers)
        show_in_parents(session, name, identifiers[0], events=order.events)
        return identifiers

    def change(
        self, session: Session, name: str, identifier: str, fields: Body, *, events: bool
    ) -> Body:
        """Change an object as it is stored, whatever its endpoints would allow."""
        self._check(name)
        body = session.get(name, identifier)
        event = event_type(name, "updated", body) if events else None
        changed = session.change(body, changes(body, fields), event=event)
        show_in_parents(session, name, identifier, events=events)
        return changed

    def remove(self, session: Session, name: str, identifier: str, *, events: bool) -> Body:
        """Take an object away, whatever its endpoints would allow."""
        self._check(name)
        body = session.get(name, identifier)
        event = event_type(name, "deleted", body) if events else None
        removed = session.remove(body, event=event)
        show_in_parents(session, name, identifier, events=events)
        return removed

    def body(self, session: Session, name: str, fields: Body) -> tuple[Body, Mapping[str, str]]:
        """One new body, not yet stored, and the ids of parents that it does not show."""
        template, unseen = self._template(session, name, fields)
        times = Times(first=session.now, seconds=0, count=1)
        order = Order(name=name, fields=fields)
        (identifier,) = _identifiers(session, name, order, template)
        number = len(session.world.state[name])
        return Stock(template, times=times).body(identifier, number), unseen

    def _check(self, name: str) -> None:
        if name not in load_shapes() or load_catalogue().get(name).key_rule is None:
            raise wrong_parameter("object", f"There are no objects of the type {name}.")

    def _template(
        self, session: Session, name: str, fields: Mapping[str, Any]
    ) -> tuple[Body, Mapping[str, str]]:
        world = session.world
        maker = Maker(identifiers=world.identifiers, now=session.now, livemode=world.livemode)
        made = maker.template(name)
        by_hand = self._resources.get(name)
        if by_hand is not None:
            made = {"id": IDENTIFIER, "object": name} | {
                key: _chosen(key, value, made.get(key)) for key, value in by_hand.blank.items()
            }
        unseen = {one.field for one in relations_of(name) if not one.shown}
        shown = {key: value for key, value in fields.items() if key not in unseen}
        if "id" in made:
            shown["id"] = IDENTIFIER
        parents = {key: str(value) for key, value in fields.items() if key in unseen}
        return made | changes(made, shown), parents

    def _add_children(self, session: Session, order: Order, identifier: str) -> None:
        for name, count in order.children.items():
            child = children_in(order.name, name)[0].object_name
            parent = {relations()[order.name, child].field: identifier}
            more = Order(
                name=child, count=count, fields=parent, events=False, created=order.created
            )
            self.make(session, more)

    def _say_created(self, session: Session, name: str, identifiers: list[str]) -> None:
        for identifier in identifiers:
            body = session.get(name, identifier)
            kind = event_type(name, "created", body)
            if kind is None:
                return
            session.say(kind, body)


def _with_time(order: Order) -> Order:
    """A time of creation that stands among the fields counts as one that is asked for."""
    if "created" not in order.fields:
        return order
    rest = {key: value for key, value in order.fields.items() if key != "created"}
    return replace(order, fields=rest, created=int(order.fields["created"]))


def _chosen(key: str, by_hand: Any, made_up: Any) -> Any:
    """A field of a type that is written by hand: as there, where that says something."""
    if key in ("created", "livemode"):
        return made_up
    return made_up if by_hand in (None, {}) and made_up is not None else by_hand


def _home(session: Session, name: str, fields: Mapping[str, Any]) -> Session:
    """Where an object lives: what belongs to a connected account, in that account."""
    account = fields.get("account")
    if account in session.world.by_account and any(
        one.parent in OF_ACCOUNTS for one in relations_of(name)
    ):
        return session.within(str(account))
    return session


def _identifiers(session: Session, name: str, order: Order, template: Body) -> list[str]:
    if "id" not in template:
        identifiers = [session.world.state[name].identify(template)]
    elif "id" in order.fields:
        identifiers = [str(order.fields["id"])]
    else:
        prefix = prefix_of(name)
        return [session.make_id(prefix) for _ in range(order.count)]
    if order.count != 1:
        raise wrong_parameter("count", "There can be only one object of this id.")
    return identifiers
