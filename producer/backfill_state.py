"""Where a backfill stands: accounts, their lists, the windows of each, the pages that are open."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from producer.backfill_plan import Listing, Single
from producer.backfill_scope import FINISHED
from producer.backfill_windows import STRIPE_BEGAN, Window

TRAIL_MAX: Final = 15
"""Objects of which one in a hundred was listed; that all of them are deleted meanwhile is rare."""
OPEN_PAGES_MAX: Final = 2
"""Of one reading, whose children are read: more would only wait."""


@dataclass(kw_only=True, slots=True)
class OpenPage:
    """A page that was read, while something of it is still asked for.

    Attributes:
        beyond: where its reading goes on.
        outstanding: readings and requests of its objects.
    """

    beyond: Window
    outstanding: int = 0


@dataclass(kw_only=True, slots=True, eq=False)
class Reading:
    """One window of one list, read page by page.

    Attributes:
        parent_id: whose list it is; empty for one without a parent.
        above: the page that shows the parent.
        window: where the next page begins.
        durable: what is left once all that was put is flushed.
        pages: what was read, oldest request first.
        asked: whether a page is asked for, or is going to be.
        ended: whether there is no further page.
        pages_read: since it was split last.
        repositioned: how often its cursor was given up since a page was read.
        trail: cursors of earlier pages, the newest last.
    """

    root: "Root"
    listing: Listing
    parent_id: str
    above: "tuple[Reading, OpenPage] | None"
    window: Window
    durable: Window = field(init=False)
    pages: deque[OpenPage] = field(default_factory=deque)
    asked: bool = False
    ended: bool = False
    pages_read: int = 0
    repositioned: int = 0
    trail: deque[str] = field(default_factory=lambda: deque(maxlen=TRAIL_MAX))

    def __post_init__(self) -> None:
        self.durable = self.window

    @property
    def may_ask(self) -> bool:
        """Whether the next page may be asked for."""
        return not self.asked and not self.ended and len(self.pages) < OPEN_PAGES_MAX

    @property
    def done(self) -> bool:
        """Whether all of it was put."""
        return self.ended and not self.pages

    def settle(self) -> None:
        """Let go the pages of which nothing is asked any more, in the order of the list."""
        while self.pages and not self.pages[0].outstanding:
            self.durable = self.pages.popleft().beyond

    def step_on(self) -> None:
        """Note that a page was read."""
        self.repositioned = 0
        if self.window.after:
            self.trail.append(self.window.after)

    def step_back(self) -> None:
        """Go on without the cursor, whose object is gone: some objects will be read again."""
        self.repositioned += 1
        if self.window.reached is None and self.trail:
            # Without an age there is only the order of the list.
            self.window = replace(self.window, after=self.trail.pop())
        else:
            self.window = self.window.without_cursor()

    def split(self) -> "Reading | None":
        """Keep the newer half; the older one is another reading. None where it cannot be split."""
        halves = self.window.split(oldest=self.root.account.oldest)
        if halves is None:
            return None
        self.window, older = halves
        since = self.window.since
        self.durable = replace(self.durable, since=since)
        for page in self.pages:
            page.beyond = replace(page.beyond, since=since)
        self.pages_read = 0
        return Reading(
            root=self.root, listing=self.listing, parent_id="", above=None, window=older
        )


@dataclass(kw_only=True, slots=True, eq=False)
class Root:
    """A list without a parent, or the only object of its type; with all that is read below it.

    Attributes:
        begun: whether something was asked.
        done: whether all of it was put.
        newest: `created` of the first object that it showed.
        rows: objects that were put, of any type.
        skipped: why it could not be read; empty if it could.
    """

    account: "Account"
    source: Listing | Single
    readings: list[Reading] = field(default_factory=list)
    begun: bool = False
    done: bool = False
    newest: int | None = None
    rows: int = 0
    skipped: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a cursor holds it."""
        shown: dict[str, Any] = {"rows": self.rows}
        if self.newest is not None:
            shown["newest"] = self.newest
        if self.skipped:
            shown["skipped"] = self.skipped
        if not self.done:
            shown["windows"] = [reading.durable.as_json() for reading in self.readings]
        return shown

    def share_read(self) -> float | None:
        """How much of its time was read, from 0 to 1; none where that cannot be told."""
        if self.done:
            return 1.0
        if isinstance(self.source, Single) or not self.source.endpoint.has_created:
            return None
        if self.newest is None:
            return 0.0
        oldest = self.account.oldest
        whole = max(1, self.newest - oldest)
        left = sum(
            reading.window.seconds_left(oldest=oldest, newest=self.newest)
            for reading in self.readings
            if not reading.ended
        )
        return max(0.0, 1 - left / whole)


@dataclass(kw_only=True, slots=True, eq=False)
class Account:
    """One account's part of the run.

    Attributes:
        account_id: empty for the merchant's own.
        key: of its cursor.
        roots: all that is read of it.
        oldest: when the account was made, where that is known; a hint and no limit.
        changed: whether the cursor is behind.
    """

    account_id: str
    key: str
    roots: list[Root] = field(default_factory=list)
    oldest: int = STRIPE_BEGAN
    changed: bool = False

    @property
    def done(self) -> bool:
        """Whether all of it was put."""
        return all(root.done for root in self.roots)

    def as_json(self) -> dict[str, Any]:
        """As the cursor holds it: all that is not told in it is still to be read."""
        if self.done:
            return dict(FINISHED)
        begun = {root.source.address: root.as_json() for root in self.roots if root.begun}
        return {"finished": False, "oldest": self.oldest, "lists": begun}


def account_of(
    account_id: str,
    *,
    key: str,
    sources: Sequence[Listing | Single],
    since: int | None,
    until: int | None,
    stored: Mapping[str, Any] | None,
) -> Account:
    """An account's part: where the stored cursor stands, or anew if that is finished.

    Args:
        account_id: empty for the merchant's own.
        key: of the cursor.
        sources: of the plan.
        since: `created` of the oldest object wanted.
        until: of the first one not wanted.
        stored: the cursor; none if there is none.
    """
    goes_on = stored is not None and not stored["finished"]
    lists: Mapping[str, Any] = stored["lists"] if stored is not None and goes_on else {}
    account = Account(account_id=account_id, key=key)
    if stored is not None and goes_on:
        account.oldest = stored["oldest"]
    for source in sources:
        root = Root(account=account, source=source)
        account.roots.append(root)
        begun = lists.get(source.address)
        if begun is None:
            windows = [_whole(source, since, until)]
        else:
            root.begun = True
            root.rows = begun["rows"]
            root.newest = begun.get("newest")
            root.skipped = begun.get("skipped", "")
            windows = [Window.from_json(window) for window in begun.get("windows", ())]
            root.done = "windows" not in begun
        if isinstance(source, Listing):
            root.readings = [
                Reading(root=root, listing=source, parent_id="", above=None, window=window)
                for window in windows
            ]
    return account


def _whole(source: Listing | Single, since: int | None, until: int | None) -> Window:
    """All that is wanted of a list; a parent may be older than the children that are wanted."""
    if isinstance(source, Listing) and source.endpoint.has_created and not source.below:
        return Window(since=since, until=until)
    return Window()
