"""All simulated objects in memory: each type in its order of creation, found by id or parent."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from simulator.exchange import indented, pretty
from simulator.stock import Row, Stock

Body: TypeAlias = dict[str, Any]
"""A Stripe object as JSON. **Invariant:** never changed once stored; a change stores a new one,
so an event may hold the body it speaks of without copying it."""

INDEXED_FIELDS = frozenset(
    {
        "account",
        "account_ownership",
        "calculation",
        "card",
        "charge",
        "credit_note",
        "customer",
        "fee",
        "file",
        "financial_account",
        "intent",
        "invoice",
        "payment_intent",
        "payment_link",
        "payment_record",
        "product",
        "quote",
        "session",
        "setup_intent",
        "source",
        "subscription",
        "test_clock",
        "transaction",
        "transfer",
        "value_list",
    }
)
"""Fields by whose value objects are found at once: those that name a parent."""

Identify: TypeAlias = Callable[[Body], str]
"""What tells an object from all others of its type and account."""


def own_id(body: Body) -> str:
    """The id that nearly every object has."""
    identifier: str = body["id"]
    return identifier


class Collection:
    """The objects of one type, as bodies or as rows of a stock."""

    def __init__(self, *, identify: Identify = own_id) -> None:
        self._identify = identify
        self._kept: dict[str, Body | Row] = {}
        self._order: list[str | None] = []
        self._created: list[int] = []
        self._places: dict[str, int] = {}
        self._by_field: dict[str, dict[str, dict[str, None]]] = {}
        self._unseen: dict[str, Mapping[str, str]] = {}
        self.deleted: dict[str, Body] = {}
        self.unlisted: set[str] = set()

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, identifier: str) -> Body | None:
        """The object, or None where there is none or it was deleted."""
        kept = self._kept.get(identifier)
        if isinstance(kept, tuple):
            stock, number = kept
            return stock.body(identifier, number)
        return kept

    def element(self, identifier: str) -> bytes:
        """An object that there is, as it stands in a list's answer."""
        kept = self._kept[identifier]
        if isinstance(kept, tuple):
            stock, number = kept
            return stock.element(identifier, number)
        return indented(pretty(kept))

    def identify(self, body: Body) -> str:
        """What the object is found by: its id, or what stands in for one."""
        return self._identify(body)

    def place(self, identifier: str) -> int | None:
        """Where the object stands in the order of creation."""
        return self._places.get(identifier)

    def created(self, identifier: str) -> int:
        """When an object that there is was made."""
        return self._created[self._places[identifier]]

    def sketch(self, identifier: str) -> Body:
        """An object that there is, or what all of its stock have in common: quicker to look at."""
        kept = self._kept[identifier]
        return kept[0].template if isinstance(kept, tuple) else kept

    def put(
        self, body: Body, *, created: int, unseen: Mapping[str, str] | None = None
    ) -> Body | None:
        """Store a new object, or a new body of an old one; the body before, if any.

        Args:
            body: the object.
            created: the unix time of a new object; counts for nothing else.
            unseen: ids of the new object's parents that its body does not show, by field.
        """
        identifier = self._identify(body)
        before = self.find(identifier)
        if before is None:
            if unseen:
                self._unseen[identifier] = unseen
            self._places[identifier] = len(self._order)
            self._order.append(identifier)
            self._created.append(created)
            self.deleted.pop(identifier, None)
            self._keep_order(since=len(self._order) - 1)
        self._kept[identifier] = body
        self._index(identifier, before, body)
        return before

    def put_stock(
        self, stock: Stock, identifiers: Sequence[str], *, unseen: Mapping[str, str]
    ) -> None:
        """Store new objects, numbered as their identifiers stand."""
        since = len(self._order)
        fields = [
            (self._by_field.setdefault(field, {}).setdefault(value, {}))
            for field, value in self._indexed(stock.template, unseen).items()
        ]
        for number, identifier in enumerate(identifiers):
            self._kept[identifier] = (stock, number)
            self._places[identifier] = since + number
            self._created.append(stock.times.of(number))
            for members in fields:
                members[identifier] = None
        self._order.extend(identifiers)
        if unseen:
            self._unseen |= dict.fromkeys(identifiers, unseen)
        self._keep_order(since=since)

    def remove(self, identifier: str) -> Body:
        """Take an object away; the body it had."""
        body = self.find(identifier)
        assert body is not None
        del self._kept[identifier]
        self._order[self._places.pop(identifier)] = None
        self._index(identifier, body, None)
        self.deleted[identifier] = body
        return body

    def bring_back(self, body: Body, *, place: int) -> None:
        """Undo `remove`."""
        identifier = self._identify(body)
        self._kept[identifier] = body
        self._places[identifier] = place
        self._order[place] = identifier
        self._index(identifier, None, body)
        del self.deleted[identifier]

    def forget_newest(self, identifier: str) -> None:
        """Undo the `put` of a new object, which must be the newest."""
        body = self.find(identifier)
        assert body is not None
        self._index(identifier, body, None)
        del self._kept[identifier]
        self._unseen.pop(identifier, None)
        assert self._places.pop(identifier) == len(self._order) - 1
        self._order.pop()
        self._created.pop()

    def newest_first(self, *, until: int | None = None) -> Iterator[Body]:
        """The listed objects before place `until`, newest first."""
        return self._found(self.ids_newest_first(until=until))

    def oldest_first(self) -> Iterator[Body]:
        """The listed objects, oldest first."""
        return self._found(self.ids_oldest_first())

    def ids_newest_first(self, *, since: int = 0, until: int | None = None) -> Iterator[str]:
        """The ids of the listed objects from place `since` on and before `until`, backwards."""
        end = len(self._order) if until is None else until
        return self._listed(range(end - 1, since - 1, -1))

    def ids_oldest_first(self, *, since: int = 0, until: int | None = None) -> Iterator[str]:
        """The ids of the listed objects from place `since` on and before `until`."""
        return self._listed(range(since, len(self._order) if until is None else until))

    def places_between(self, first: int | None, last: int | None) -> tuple[int, int]:
        """The first place of what was created from second `first` to `last`, and the next one.

        None is no bound.
        """
        since = 0 if first is None else bisect_left(self._created, first)
        until = len(self._created) if last is None else bisect_right(self._created, last)
        return since, max(since, until)

    def members(
        self, field: str, value: str, *, since: int = 0, until: int | None = None
    ) -> list[str]:
        """The ids of the objects whose `field` is `value`, listed or not, oldest first.

        Args:
            field: one of `INDEXED_FIELDS`.
            value: the id of a parent.
            since: the first place that counts.
            until: the first place that no longer does.
        """
        found = self._by_field.get(field, {}).get(value, {})
        end = len(self._order) if until is None else until
        places = sorted(self._places[identifier] for identifier in found)
        members = (self._order[place] for place in places if since <= place < end)
        return [member for member in members if member is not None]

    def belonging(self, field: str, value: str) -> list[Body]:
        """The objects whose `field` (one of `INDEXED_FIELDS`) is `value`, oldest first."""
        return list(self._found(self.members(field, value)))

    def parents(self, identifier: str) -> Mapping[str, str]:
        """The ids in the fields by which an object that there is, or was, is found."""
        body = self.find(identifier) or self.deleted[identifier]
        return self._indexed(body, self._unseen.get(identifier))

    def _listed(self, places: range) -> Iterator[str]:
        for place in places:
            identifier = self._order[place]
            if identifier is not None and identifier not in self.unlisted:
                yield identifier

    def _found(self, identifiers: Iterable[str]) -> Iterator[Body]:
        bodies = (self.find(identifier) for identifier in identifiers)
        return (body for body in bodies if body is not None)

    def _keep_order(self, *, since: int) -> None:
        """Put objects that were made before the newest one, from place `since` on, in order."""
        if not 0 < since < len(self._created) or self._created[since - 1] <= self._created[since]:
            return
        order = sorted(range(len(self._order)), key=self._created.__getitem__)
        self._order = [self._order[place] for place in order]
        self._created = [self._created[place] for place in order]
        self._places = {
            identifier: place
            for place, identifier in enumerate(self._order)
            if identifier is not None
        }

    def _index(self, identifier: str, before: Body | None, after: Body | None) -> None:
        unseen = self._unseen.get(identifier)
        old = self._indexed(before, unseen) if before is not None else {}
        new = self._indexed(after, unseen) if after is not None else {}
        if old == new:
            return
        for field, value in old.items():
            self._by_field[field][value].pop(identifier, None)
        for field, value in new.items():
            self._by_field.setdefault(field, {}).setdefault(value, {})[identifier] = None

    def _indexed(
        self, body: Mapping[str, Any], unseen: Mapping[str, str] | None
    ) -> dict[str, str]:
        fields = INDEXED_FIELDS & body.keys()
        found = {field: body[field] for field in fields if isinstance(body[field], str)}
        return found | dict(unseen) if unseen else found


class State:
    """The collections by object name.

    Args:
        identify: how the objects of the types without an id of their own are told apart.
    """

    def __init__(self, *, identify: Mapping[str, Identify] = MappingProxyType({})) -> None:
        self._identify = identify
        self._collections: dict[str, Collection] = {}

    def __getitem__(self, name: str) -> Collection:
        found = self._collections.get(name)
        if found is None:
            identify = self._identify.get(name, own_id)
            found = self._collections[name] = Collection(identify=identify)
        return found

    def counts(self) -> dict[str, int]:
        """How many objects there are of each type."""
        return {name: len(collection) for name, collection in self._collections.items()}

    def emptied(self) -> "State":
        """A state that knows the same types and has no objects."""
        return State(identify=self._identify)
