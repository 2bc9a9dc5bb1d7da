"""Parents and children: lists inside objects, and what changes in a parent with its children."""

from collections.abc import Collection

from schemas.endpoints import Child, load_ways
from simulator.embedded_lists import short_list
from simulator.generic.event_types import event_type
from simulator.generic.relations import Relation, address, relations, relations_of
from simulator.session import Session
from simulator.state import Body

OF_ACCOUNTS = frozenset({"account"})
"""Parents that live with the platform, while their children live in the account itself."""


def children_in(parent: str, field: str) -> list[Child]:
    """The types of the elements of an embedded list."""
    return [child for child in load_ways()[parent].children if child.field == field]


def embedded(session: Session, parent: str, field: str, body: Body) -> Body:
    """An embedded list as it is now: its first few elements, and where all are."""
    children = children_in(parent, field)
    identifier = session.world.state[parent].identify(body)
    names = [child.object_name for child in children]
    shown = short_list(
        members(session, parent, names, identifier), url=address(children[0].path, body)
    )
    return whole(session, shown)


def whole(session: Session, page: Body) -> Body:
    """A page of `members` with the objects themselves."""
    return {**page, "data": [session.get(one["object"], one["id"]) for one in page["data"]]}


def members(session: Session, parent: str, names: Collection[str], identifier: str) -> list[Body]:
    """Type and id of the children of some types, in the order in which Stripe lists them.

    What only its parent shows has the parent's order, oldest first; other lists begin with the
    newest.
    """
    found = []
    for name in names:
        field, collection = relations()[parent, name].field, session.world.state[name]
        found += [
            (collection.created(member), collection.place(member), name, member)
            for member in collection.members(field, identifier)
        ]
    owned = any(
        child.owned for child in load_ways()[parent].children if child.object_name in names
    )
    found.sort(reverse=not owned)
    return [{"id": member, "object": name} for _, _, name, member in found]


def owners(session: Session, name: str, identifier: str) -> list[tuple[Relation, str]]:
    """The parents of an object that there is, or was."""
    held = session.world.state[name].parents(identifier)
    return [
        (relation, held[relation.field])
        for relation in relations_of(name)
        if relation.field in held
    ]


def show_in_parents(session: Session, name: str, identifier: str, *, events: bool) -> None:
    """Put what became of an object into those that always show it."""
    for relation, owner in owners(session, name, identifier):
        show_children(session, relation, owner, events=events)


def show_children(session: Session, relation: Relation, identifier: str, *, events: bool) -> None:
    """Put the children as they are now into a parent that always shows them."""
    home = session.within("") if relation.parent in OF_ACCOUNTS else session
    body = home.find(relation.parent, identifier)
    fields = {child.field for child in _shown_by(relation.parent, relation.child)}
    if body is None or not fields:
        return
    made = {field: embedded(session, relation.parent, field, body) for field in sorted(fields)}
    # What an account is paid through changes silently, as does the account that shows it.
    told = events and relation.parent not in OF_ACCOUNTS
    home.change(body, made, event=event_type(relation.parent, "updated", body) if told else None)


def _shown_by(parent: str, name: str) -> list[Child]:
    children = load_ways()[parent].children
    return [child for child in children if child.object_name == name and not child.expanded_only]
