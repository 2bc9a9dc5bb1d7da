"""One request's, or one due entry's, changes: all of them with their events, or none."""

from collections.abc import Callable, Mapping
from typing import Any

from simulator.agenda import Due
from simulator.errors import no_such
from simulator.identifiers import LONG
from simulator.said import Said
from simulator.state import Body, Collection
from simulator.telling import tell
from simulator.world import Origin, World


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
        self.changes: list[Said] = outer.changes if outer else []
        self._origin = origin
        self._undo: list[Callable[[], None]] = outer._undo if outer else []

    def within(self, account: str) -> "Session":
        """A part of this session in another account: one fate, one row of changes."""
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

    def add(
        self,
        body: Body,
        *,
        event: str | None = None,
        listed: bool = True,
        unseen: Mapping[str, str] | None = None,
    ) -> Body:
        """Store a new object and say so with the event type `event`.

        `unseen` has the ids of parents that the body does not show, by field.
        """
        collection = self.world.state[body["object"]]
        identifier = collection.identify(body)
        collection.put(body, created=self.now, unseen=unseen)
        self._undo.append(lambda: collection.forget_newest(identifier))
        if not listed:
            collection.unlisted.add(identifier)
        if event is not None:
            self.say(event, body)
        return body

    def change(self, body: Body, changes: Mapping[str, Any], *, event: str | None = None) -> Body:
        """Change fields of an object as it is stored now; the event is said if one differs."""
        collection = self.world.state[body["object"]]
        before = collection.find(collection.identify(body))
        assert before is not None
        new = {**before, **changes}
        if new == before:
            return before
        collection.put(new, created=self.now)
        self._undo.append(lambda: _restore(collection, before))
        if event is not None:
            self.say(event, new, before=before)
        return new

    def remove(self, body: Body, *, event: str | None = None) -> Body:
        """Take an object away; the answer that Stripe gives to a delete."""
        collection = self.world.state[body["object"]]
        identifier = collection.identify(body)
        place = collection.place(identifier)
        assert place is not None
        collection.remove(identifier)
        self._undo.append(lambda: collection.bring_back(body, place=place))
        if event is not None:
            self.say(event, body)
        return {"id": identifier, "object": body["object"], "deleted": True}

    def say(
        self,
        kind: str,
        body: Body,
        *,
        before: Body | None = None,
        previous: Body | None = None,
        only_thin: bool = False,
    ) -> None:
        """Say what happened; it is delivered once the request succeeded.

        Args:
            kind: the event's type.
            body: the object as it is now.
            before: the object as it was, where it changed.
            previous: what the change replaced, where `before` is not at hand.
            only_thin: no snapshot event tells it.
        """
        said = tell(
            self.world,
            self._origin,
            kind,
            body,
            second=self.now,
            before=before,
            previous=previous,
            only_thin=only_thin,
        )
        if said.snapshot is not None:
            identifier = said.snapshot["id"]
            self.world.said[identifier] = said
            self._undo.append(lambda: self.world.said.__delitem__(identifier))
            self.add(said.snapshot)
        if said.thin is not None:
            self.add(said.thin)
        self.changes.append(said)

    def roll_back(self) -> None:
        """Undo every write of this session."""
        while self._undo:
            self._undo.pop()()
        self.changes.clear()


def _restore(collection: Collection, body: Body) -> None:
    collection.put(body, created=0)
