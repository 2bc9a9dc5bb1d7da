"""Parents whose children are known to be what they showed last: most changes leave them alone.

Without this, each change of a subscription would ask the memory for its items.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from producer.children import ChildReader
from producer.owned import Owned
from producer.record import Change
from producer.shown_lists import digest_of
from schemas.meta import Operation

PARENTS_MAX: Final = 100_000


class InStep:
    """For each parent, which list shows exactly the children that live."""

    def __init__(self, *, children: ChildReader) -> None:
        self._children = children
        self.digests: dict[str, bytes] = {}
        """Of the lists, by the parent's name."""

    def without(self, changes: Sequence[Change]) -> list[Change]:
        """The changes of those parents that show anything else than the list that is known."""
        # Lists of the same bytes show every child if they did so before.
        moving = {
            change.name
            for change in changes
            if self.digests.get(change.name) != digest_of(change.lists)
            or change.entry.operation is Operation.DELETED
        }
        return [change for change in changes if change.name in moving]

    def note(self, changes: Iterable[Change], owned: Owned) -> None:
        """Take in what a batch's changes, in their order, made of the children."""
        if len(self.digests) >= PARENTS_MAX:
            self.digests.clear()
        for change in {change.name: change for change in changes}.values():
            digest = self._shown(change)
            if digest and owned.are_as_shown(change):
                self.digests[change.name] = digest
            else:
                self.digests.pop(change.name, None)
        for name in owned.bereft:
            self.digests.pop(name, None)

    def clear(self) -> None:
        """What was noted may not have been committed."""
        self.digests.clear()

    def _shown(self, change: Change) -> bytes:
        """Tells the lists of a change from others; empty if they do not show every child."""
        lists = self._children.lists_of(change.observation.object_name)
        deleted = change.entry.operation is Operation.DELETED
        if deleted or not lists.show_all(change.lists):
            return b""
        return digest_of(change.lists)
