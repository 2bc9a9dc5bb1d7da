"""What follows from an object's change for the objects in its lists.

Owned ones are published with it, in its partition and with its `_event_at`: nobody else shows
them, so that they have one writer. The others go into the inbox as what Stripe showed in passing;
what an event says was listed before, and is not any more, is asked for. A list that is not whole
proves nothing about what it lacks, and is asked for, too.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from producer.children import ChildReader, Parent, TypeLists
from producer.in_step import InStep
from producer.observation import Observation
from producer.owned import Known, LastHalves, Owned
from producer.record import Change, hash_of
from producer.shown_lists import Extent, OtherChild
from schemas.inbox import Kind, Source
from schemas.meta import Operation
from schemas.objects import ID
from schemas.retrieve_paths import address_fields, retrieve_path

SAID_MAX: Final = 100_000
"""Other children of which is known what was said of them last."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object that was shown in another one's list.

    Attributes:
        by: the observation of the other one.
    """

    child: OtherChild
    by: Observation


class Wanted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object that is to be fetched: what was published of it is not all, or it may be gone.

    Attributes:
        key: its record key.
        partition: of the inbox; none where its key tells.
        value: `id`, `object`, and what its address is made of.
        by: the observation that was published.
        reason: a constant word.
    """

    key: str
    partition: int | None
    value: bytes
    by: Observation
    reason: str


class Family(msgspec.Struct, kw_only=True):
    """What follows from a batch's changes.

    Attributes:
        changes: of owned children; published after those of their parents.
        sightings: of other children.
        wanted: by name.
        incomplete: objects published without their whole lists that cannot be fetched.
    """

    changes: list[Change] = []
    sightings: list[Sighting] = []
    wanted: dict[str, Wanted] = {}
    incomplete: int = 0


class Families:
    """Decides batch after batch; remembers what was said of other children.

    Args:
        children: knows which types have which.
        last_halves: asked for where a child is gone.
        may_fetch: whether Stripe can be asked.
    """

    def __init__(self, *, children: ChildReader, last_halves: LastHalves, may_fetch: bool) -> None:
        self._children = children
        self._last_halves = last_halves
        self._may_fetch = may_fetch
        self._said: dict[str, tuple[int, bytes]] = {}
        self._in_step = InStep(children=children)

    @property
    def in_step(self) -> dict[str, bytes]:
        """For parents, the digest of the lists that show exactly the children that live."""
        return self._in_step.digests

    def decide(
        self, changes: Sequence[Change], unchanged: Sequence[Change], known: Known
    ) -> Family:
        """What follows from changes that will be published.

        Args:
            changes: of each object in order.
            unchanged: of which only the lists may say anything new.
            known: what every batch before has published.
        """
        family = Family()
        parents = [change for change in changes if self._lists_of(change).fields]
        if unchanged:
            parents = sorted([*parents, *unchanged], key=_event_at)
        if not parents:
            return family
        owners = [change for change in parents if self._lists_of(change).owned_fields]
        moving = self._in_step.without(owners)
        owned = Owned(moving, known)
        for change in moving:
            self._own(change, owned)
        moved = {change.name for change in moving}
        for change in parents:
            if change.name not in moved and self._lists_of(change).all_owned:
                # Its lists are whole, and show what they showed before.
                family.wanted.pop(change.name, None)
            else:
                self._others(change, owned, family)
        self._in_step.note(moving, owned)
        family.changes = owned.changes(self._last_halves)
        return family

    def forget(self) -> None:
        """What was said and published may not have been committed."""
        self._said.clear()
        self._in_step.clear()

    def _lists_of(self, change: Change) -> TypeLists:
        return self._children.lists_of(change.observation.object_name)

    def _own(self, change: Change, owned: Owned) -> None:
        lists = self._lists_of(change)
        deleted = change.entry.operation is Operation.DELETED
        if not deleted:
            owned.show(change)
        if deleted or lists.show_all(change.lists):
            owned.lose(change, lists.owned_types)

    def _others(self, change: Change, owned: Owned, family: Family) -> None:
        if change.entry.operation is Operation.DELETED:
            family.wanted.pop(change.name, None)
            return
        self._sight(change, family)
        self._ask_for_unlisted(change, family)
        self._want(change, owned, family)

    def _sight(self, change: Change, family: Family) -> None:
        """Tell of other children, but not the same again: their owner would only drop it.

        Nor what is older than what was said last, be it of another parent: the owner may not know
        of that second, since what did not change in it was not told.
        """
        second = change.observation.second
        for one in change.lists:
            for child in one.others:
                value_hash = hash_of(child.value)
                said_second, said = self._said.get(child.name, (-1, b""))
                if second < said_second:
                    continue
                if len(self._said) >= SAID_MAX:
                    self._said.clear()
                self._said[child.name] = (second, value_hash)
                if value_hash == said:
                    continue
                family.sightings.append(Sighting(child=child, by=change.observation))

    def _ask_for_unlisted(self, change: Change, family: Family) -> None:
        """Ask for what a list held before the event: of some types no event tells the end."""
        observation = change.observation
        if not (self._may_fetch and observation.has_previous):
            return
        for child in self._unlisted(change):
            stub = stub_of(child.object_name, child.value)
            if stub is not None:
                self._said.pop(child.name, None)
                family.wanted[child.name] = Wanted(
                    key=child.key,
                    partition=None,
                    value=stub,
                    by=observation,
                    reason="unlisted",
                )

    def _unlisted(self, change: Change) -> Iterator[OtherChild]:
        """Other children that the lists of an event held before and do not hold any more."""
        owned_fields = self._lists_of(change).owned_fields
        lists = [one for one in change.lists if one.field not in owned_fields]
        if not lists:
            return
        try:
            previous = _DECODE_FIELDS(change.observation.previous)
        except msgspec.DecodeError:
            return
        for one in lists:
            if one.extent is Extent.WHOLE and one.field in previous:
                listed = {child.name for child in one.others}
                before = self._children.others(bytes(previous[one.field]), parent_of(change))
                yield from (child for child in before if child.name not in listed)

    def _want(self, change: Change, owned: Owned, family: Family) -> None:
        """Ask for the object if its lists are not all here."""
        reason = self._lack(change, owned)
        if not reason:
            if change.lists:
                family.wanted.pop(change.name, None)
            return
        observation = change.observation
        # What was fetched already and is still not whole would be asked for again and again.
        again = observation.kind is Kind.SNAPSHOT and observation.source is Source.REFETCH
        may_ask = self._may_fetch and not again
        stub = stub_of(observation.object_name, observation.body) if may_ask else None
        if stub is None:
            family.incomplete += 1
        else:
            family.wanted[change.name] = Wanted(
                key=observation.key,
                partition=observation.partition,
                value=stub,
                by=observation,
                reason=reason,
            )

    def _lack(self, change: Change, owned: Owned) -> str:
        """Why the change does not show all children; empty if it does, or need not."""
        if any(one.extent is Extent.BEGINNING for one in change.lists):
            return "truncated"
        told_apart = self._lists_of(change).owned_apart
        if not told_apart or told_apart <= {one.field for one in change.lists}:
            return ""
        # An event that shows no children may be about a change of theirs. A snapshot need not
        # show them either, and a reading of all objects shall not ask for each of them.
        told = change.observation.kind is Kind.SNAPSHOT and owned.has_any(change.name)
        return "" if told else "children_unknown"


def _event_at(change: Change) -> int:
    return change.entry.event_at


def parent_of(change: Change) -> Parent:
    """Whose lists an event of the change speaks of."""
    observation = change.observation
    return Parent(
        name=change.name, account_id=observation.account_id, object_id=observation.object_id
    )


def stub_of(object_name: str, value: bytes) -> bytes | None:
    """What a wish for an object says; none if it has no address."""
    body = msgspec.json.decode(value)
    if retrieve_path(object_name, body) is None:
        return None
    fields = (ID, "object", *address_fields(object_name))
    return msgspec.json.encode({field: body[field] for field in fields if field in body})


_DECODE_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
