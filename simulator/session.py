"""One request's, or one due entry's, changes: all of them with their events, or none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simulator.agenda import Agenda, Due
from simulator.clock import MovableClock
from simulator.errors import no_such
from simulator.events import event, previous_attributes
from simulator.faults import Faults
from simulator.identifiers import LONG, Identifiers
from simulator.state import Body, Collection, State


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What one account has, and what all accounts share, until a reset.

    Args:
        account: id of the connected account; empty for the platform.
        by_account: every account's world, the platform's under the empty text; shared.
        state: the objects of this account.
        undelivered: ids of the events whose webhook was not accepted yet.
        aside: by object id, what Stripe knows of an object and sends only on request.
    """

    account: str
    by_account: dict[str, "World"]
    state: State
    clock: MovableClock
    identifiers: Identifiers
    agenda: Agenda
    faults: Faults
    undelivered: set[str]
    aside: dict[str, Any]
    livemode: bool

    def connect(self, account: str) -> None:
        """Give a new connected account a world of its own."""
        self.by_account[account] = replace(self, account=account, state=State(), aside={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The request that caused a change; both None where time did."""

    request_id: str | None = None
    idempotency_key: str | None = None


class Session:
    """Reads and writes of one request; `roll_back` undoes the writes, newest first.

    Args:
        world: of the account that is asked.
        origin: what causes the changes.
        outer: the session of another account that this one is a part of.
    """

    def __init__(self, world: World, *, origin: Origin, outer: "Session | None" = None) -> None:
        self.world = world
        self.now = world.clock.seconds
        self.events: list[Body] = outer.events if outer else []
        self._origin = origin
        self._undo: list[Callable[[], None]] = outer._undo if outer else []

    def within(self, account: str) -> "Session":
        """A part of this session in another account: one fate, one row of events."""
        return Session(self.world.by_account[account], origin=self._origin, outer=self)

    def connect(self, account: str) -> None:
        """Give a new connected account a world of its own."""
        self.world.connect(account)
        self._undo.append(lambda: self.world.by_account.__delitem__(account))

    def disconnect(self, account: str) -> None:
        """Nobody can ask for this account any more; its world is forgotten."""
        world = self.world.by_account.pop(account)
        self._undo.append(lambda: self.world.by_account.update({account: world}))

    def find(self, name: str, identifier: str) -> Body | None:
        """The object of type `name`, or None."""
        return self.world.state[name].find(identifier)

    def get(self, name: str, identifier: str, *, parameter: str = "id") -> Body:
        """The object of type `name`.

        Raises:
            Refused: there is none; `parameter` says where the id was given.
        """
        found = self.find(name, identifier)
        if found is None:
            raise no_such(name, identifier, parameter=parameter)
        return found

    def belonging(self, name: str, field: str, value: str) -> list[Body]:
        """The objects of type `name` whose `field` is `value`, oldest first."""
        return self.world.state[name].belonging(field, value)

    def make_id(self, prefix: str, *, length: int = LONG) -> str:
        """A new id."""
        return self.world.identifiers.make(prefix, length=length)

    def note(self, *, at: int, due: Due, identifier: str) -> None:
        """Something is to happen to an object at a later time."""
        agenda, account = self.world.agenda, self.world.account
        agenda.note(at=at, due=due, identifier=identifier, account=account)

    def add(self, body: Body, *, event: str | None = None, listed: bool = True) -> Body:
        """Store a new object and say so with the event type `event`."""
        collection, identifier = self.world.state[body["object"]], body["id"]
        collection.put(body, created=self.now)
        self._undo.append(lambda: collection.forget_newest(identifier))
        if not listed:
            collection.unlisted.add(identifier)
        if event is not None:
            self.say(event, body)
        return body

    def change(self, body: Body, changes: Mapping[str, Any], *, event: str | None = None) -> Body:
        """Change fields of an object as it is stored now; the event is said if one differs."""
        collection = self.world.state[body["object"]]
        before = collection.find(body["id"])
        assert before is not None
        new = {**before, **changes}
        if new == before:
            return before
        collection.put(new, created=self.now)
        self._undo.append(lambda: _restore(collection, before))
        if event is not None:
            self.say(event, new, previous=previous_attributes(before, new))
        return new

    def remove(self, body: Body, *, event: str | None = None) -> Body:
        """Take an object away; the answer that Stripe gives to a delete."""
        collection, identifier = self.world.state[body["object"]], body["id"]
        place = collection.place(identifier)
        assert place is not None
        collection.remove(identifier)
        self._undo.append(lambda: collection.bring_back(body, place=place))
        if event is not None:
            self.say(event, body)
        return {"id": identifier, "object": body["object"], "deleted": True}

    def say(self, kind: str, body: Body, *, previous: Body | None = None) -> None:
        """Put an event into the list of events; it is delivered once the request succeeded."""
        said = event(
            identifier=self.make_id("evt_"),
            account=self.world.account,
            kind=kind,
            created=self.now,
            livemode=self.world.livemode,
            body=body,
            previous=previous,
            request_id=self._origin.request_id,
            idempotency_key=self._origin.idempotency_key,
        )
        self.add(said)
        self.events.append(said)

    def roll_back(self) -> None:
        """Undo every write of this session."""
        while self._undo:
            self._undo.pop()()
        self.events.clear()


def _restore(collection: Collection, body: Body) -> None:
    collection.put(body, created=0)
