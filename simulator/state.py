"""All simulated objects in memory: each type in its order of creation, found by id or parent."""

from collections.abc import Iterator
from typing import Any, TypeAlias

Body: TypeAlias = dict[str, Any]
"""A Stripe object as JSON. **Invariant:** never changed once stored; a change stores a new one,
so an event may hold the body it speaks of without copying it."""

INDEXED_FIELDS = ("charge", "customer", "invoice", "payment_intent", "product", "subscription")


class Collection:
    """The objects of one type."""

    def __init__(self) -> None:
        self._bodies: dict[str, Body] = {}
        self._order: list[str | None] = []
        self._created: list[int] = []
        self._places: dict[str, int] = {}
        self._by_field: dict[str, dict[str, dict[str, None]]] = {
            field: {} for field in INDEXED_FIELDS
        }
        self.deleted: dict[str, Body] = {}
        self.unlisted: set[str] = set()

    def __len__(self) -> int:
        return len(self._bodies)

    def find(self, identifier: str) -> Body | None:
        """The object, or None where there is none or it was deleted."""
        return self._bodies.get(identifier)

    def place(self, identifier: str) -> int | None:
        """Where the object stands in the order of creation."""
        return self._places.get(identifier)

    def put(self, body: Body, *, created: int) -> Body | None:
        """Store a new object, or a new body of an old one; the body before, if any.

        `created` is the unix time of a new object and counts for nothing else.
        """
        identifier = body["id"]
        before = self._bodies.get(identifier)
        if before is None:
            self._places[identifier] = len(self._order)
            self._order.append(identifier)
            self._created.append(created)
            self.deleted.pop(identifier, None)
        self._bodies[identifier] = body
        self._index(identifier, before, body)
        return before

    def remove(self, identifier: str) -> Body:
        """Take an object away; the body it had."""
        body = self._bodies.pop(identifier)
        self._order[self._places.pop(identifier)] = None
        self._index(identifier, body, None)
        self.deleted[identifier] = body
        return body

    def bring_back(self, body: Body, *, place: int) -> None:
        """Undo `remove`."""
        identifier = body["id"]
        self._bodies[identifier] = body
        self._places[identifier] = place
        self._order[place] = identifier
        self._index(identifier, None, body)
        del self.deleted[identifier]

    def forget_newest(self, identifier: str) -> None:
        """Undo the `put` of a new object, which must be the newest."""
        self._index(identifier, self._bodies.pop(identifier), None)
        assert self._places.pop(identifier) == len(self._order) - 1
        self._order.pop()
        self._created.pop()

    def newest_first(self, *, below: int | None = None) -> Iterator[Body]:
        """The objects older than place `below`, newest first."""
        for place in range(len(self._order) if below is None else below, 0, -1):
            identifier = self._order[place - 1]
            if identifier is not None and identifier not in self.unlisted:
                yield self._bodies[identifier]

    def oldest_first(self, *, above: int = -1) -> Iterator[Body]:
        """The objects newer than place `above`, oldest first."""
        for place in range(above + 1, len(self._order)):
            identifier = self._order[place]
            if identifier is not None and identifier not in self.unlisted:
                yield self._bodies[identifier]

    def first_place_after(self, created: int) -> int:
        """The place of the first object created later than the second `created`."""
        low, high = 0, len(self._created)
        while low < high:
            middle = (low + high) // 2
            if self._created[middle] > created:
                high = middle
            else:
                low = middle + 1
        return low

    def belonging(self, field: str, value: str) -> list[Body]:
        """The objects whose `field` (one of `INDEXED_FIELDS`) is `value`, oldest first."""
        members = self._by_field[field].get(value, {})
        return [self._bodies[identifier] for identifier in members]

    def _index(self, identifier: str, before: Body | None, after: Body | None) -> None:
        for field, members in self._by_field.items():
            old = before.get(field) if before else None
            new = after.get(field) if after else None
            if old == new:
                continue
            if isinstance(old, str):
                members[old].pop(identifier, None)
            if isinstance(new, str):
                members.setdefault(new, {})[identifier] = None


class State:
    """The collections by object name."""

    def __init__(self) -> None:
        self._collections: dict[str, Collection] = {}

    def __getitem__(self, name: str) -> Collection:
        found = self._collections.get(name)
        if found is None:
            found = self._collections[name] = Collection()
        return found

    def counts(self) -> dict[str, int]:
        """How many objects there are of each type."""
        return {name: len(collection) for name, collection in self._collections.items()}
