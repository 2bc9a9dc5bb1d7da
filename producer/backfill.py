"""Reads every object that Stripe lists into the inbox, many lists and windows side by side.

One loop holds all state. Threads only ask Stripe; what they bring is put into the inbox here, and
a cursor moves when the inbox has been flushed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final, assert_never

from producer.asking import Answer, Asking
from producer.backfill_ends import Inbox, StoredCursors
from producer.backfill_items import Item, ItemReader, has_field, shown_inside
from producer.backfill_plan import ACCOUNT, Listing, Single
from producer.backfill_questions import (
    Asked,
    Cut,
    Questions,
    object_name_of,
    place_of,
    place_of_lists,
)
from producer.backfill_ready import Place, Ready
from producer.backfill_refusals import Refusals
from producer.backfill_report import ObjectTally, Tally, reason_told
from producer.backfill_scope import Scope
from producer.backfill_state import Account, OpenPage, Reading, Root, account_of
from producer.backfill_windows import Window
from producer.errors import LimiterStopped, RecordTooLarge, StripeRefused, StripeUnreachable
from producer.full_lists import is_truncated
from producer.rate_limit import RateLimiter
from producer.stripe_api import Page, Retrieved, StripeApi
from runtime.clock import Clock
from runtime.metrics import BACKFILL_OBJECTS, BACKFILL_REQUESTS, BACKFILL_RETRIES, Meters
from runtime.stop import Stop
from schemas.inbox import Envelope, Evidence, Kind, Source

ROOTS_AT_ONCE_MAX: Final = 16
SPLIT_PAGES_MIN: Final = 2
"""A window is split when so many of its pages were read: a short list is not worth it."""
REPOSITIONED_MAX: Final = 20
UNAUTHORIZED: Final = "unauthorized"
SAVE_SECONDS: Final = 1.0
SAVE_RECORDS_MAX: Final = 20_000
TURN_SECONDS: Final = 0.2


class Backfill:
    """One run over any number of accounts.

    **Invariant:** a cursor says what is still to be read, and all else is in the inbox: so any
    cursor that was ever stored is good to go on from, also another run's that runs beside it.

    Args:
        owned: types that only come with their parents.
        shown: is called again and again, for whoever watches.
        save_seconds: between two cursors.
    """

    def __init__(
        self,
        *,
        scope: Scope,
        api: StripeApi,
        limiter: RateLimiter,
        asking: Asking[Asked],
        inbox: Inbox,
        cursors: StoredCursors,
        items: ItemReader,
        owned: frozenset[str],
        tally: Tally,
        meters: Meters,
        shown: Callable[[], None],
        clock: Clock,
        stop: Stop,
        save_seconds: float = SAVE_SECONDS,
    ) -> None:
        self._scope = scope
        self._questions = Questions(api=api)
        self._limiter = limiter
        self._asking = asking
        self._inbox = inbox
        self._cursors = cursors
        self._items = items
        self._owned = owned
        self._tally = tally
        self._meters = meters
        self._shown = shown
        self._clock = clock
        self._stop = stop
        self._save_seconds = save_seconds
        self._accounts: list[Account] = []
        self._active: list[Root] = []
        self._ready: Ready[Reading | Cut] = Ready()
        self._refusals = Refusals()
        self._saved_at = clock.monotonic_seconds()
        self._put_since = 0

    def run(self, accounts: Iterable[str]) -> bool:
        """Read on where the cursors stand, or anew; whether all of it is done.

        Args:
            accounts: ids; empty for the merchant's own.

        Raises:
            StripeUnreachable: Stripe did not answer for minutes; what was read is stored.
            StripeRefused: the key is wrong.
            KafkaUnreachable: what was put last does not count; run it again.
        """
        roots = self._roots(accounts, self._cursors.read())
        ended = False
        try:
            while not self._stop.requested:
                self._begin(roots)
                self._ask()
                ended = not self._asking.outstanding
                if ended:
                    break
                answer = self._asking.answer(seconds_max=TURN_SECONDS)
                if answer is not None:
                    self._take(answer)
                self._save_if_due()
                self._shown()
        except (StripeUnreachable, StripeRefused):
            # What was put since the last time is worth keeping; not so where Kafka failed.
            self._save()
            raise
        self._save()
        self._shown()
        return ended and not self._accounts

    def _roots(
        self, accounts: Iterable[str], stored: Mapping[str, Mapping[str, Any]]
    ) -> Iterator[Root]:
        plan = self._scope.plan
        for account_id in accounts:
            key = self._scope.key(account_id)
            account = account_of(
                account_id,
                key=key,
                sources=(*plan.singles, *plan.listings),
                since=self._scope.since,
                until=self._scope.until,
                stored=stored.get(key),
            )
            account.changed = True
            self._accounts.append(account)
            yield from (root for root in account.roots if not root.done)

    def _begin(self, roots: Iterator[Root]) -> None:
        """Keep as many lists going as is useful."""
        while len(self._active) < ROOTS_AT_ONCE_MAX and (root := next(roots, None)) is not None:
            root.begun = True
            self._active.append(root)
            if isinstance(root.source, Single):
                self._asking.ask(root, partial(self._questions.single, root, root.source))
            for reading in root.readings:
                self._queue(reading)

    def _ask(self) -> None:
        """Give each thread something to ask for."""
        while self._asking.idle > 0:
            taken = self._ready.take(self._has_room)
            if taken is None:
                if self._ready or not self._split():
                    return
                continue
            question, place = taken
            self._limiter.expect(account_id=place[0], endpoint=place[1])
            match question:
                case Reading():
                    self._asking.ask(
                        question, partial(self._questions.page, question, question.window)
                    )
                case Cut():
                    self._asking.ask(question, partial(self._questions.whole, question))
                case _:
                    assert_never(question)

    def _has_room(self, place: Place, pending: int) -> bool:
        account_id, endpoint = place
        return self._limiter.has_room(account_id=account_id, endpoint=endpoint, pending=pending)

    def _split(self) -> bool:
        """Split the window of which most was read, where Stripe allows more than is asked."""
        found = [
            reading
            for root in self._active
            for reading in root.readings
            if reading.pages_read >= SPLIT_PAGES_MIN
            and not reading.ended
            and reading.listing.endpoint.has_created
        ]
        found.sort(key=lambda reading: reading.pages_read, reverse=True)
        for reading in found:
            if not self._is_free(reading):
                continue
            older = reading.split()
            if older is not None:
                reading.root.readings.append(older)
                self._queue(older)
                return True
        return False

    def _is_free(self, reading: Reading) -> bool:
        account_id, endpoint = place_of(reading)
        return self._limiter.is_free(account_id=account_id, endpoint=endpoint)

    def _queue(self, reading: Reading) -> None:
        if reading.may_ask:
            reading.asked = True
            self._ready.put(reading, place_of(reading), below=reading.above is not None)

    def _take(self, answer: Answer[Asked]) -> None:
        asked = answer.token
        if not isinstance(asked, Root):
            self._ready.note_answer(asked.place if isinstance(asked, Cut) else place_of(asked))
        if isinstance(answer.error, LimiterStopped):
            return
        if answer.error is not None and not isinstance(answer.error, StripeRefused):
            raise answer.error
        self._count_request(object_name_of(asked), answer.retries)
        match asked:
            case Reading():
                asked.asked = False
                if answer.error is None:
                    self._take_page(asked, answer.found)
                else:
                    self._take_refusal(asked, answer.error)
            case Cut():
                self._take_whole(asked, answer)
            case Root():
                assert isinstance(asked.source, Single)
                self._take_single(asked, asked.source, answer)
            case _:
                assert_never(asked)

    def _take_page(self, reading: Reading, page: Page) -> None:
        account, listing = reading.root.account, reading.listing
        read = [(body, self._items.read(body, account.account_id)) for body in page.items]
        # The window may have been split while the page was on its way.
        shown = [(body, item) for body, item in read if reading.window.holds(item.created)]
        last = shown[-1][1].created if shown and listing.endpoint.has_created else None
        if reading.above is None and reading.root.newest is None and shown:
            reading.root.newest = shown[0][1].created
        reading.step_on()
        open_page = OpenPage(beyond=reading.window.beyond(page.last_id, last))
        reading.window = open_page.beyond
        # Not where it leaves the window: what lies behind that in the list need not be older.
        reading.ended = not page.has_more
        reading.pages_read += 1
        reading.pages.append(open_page)
        envelope = self._envelope(account, page.observed_second, Evidence.LIST)
        for body, item in shown:
            if listing.stores(item.object_name) and self._is_wanted(item):
                if is_truncated(body):
                    open_page.outstanding += 1
                    cut = Cut(
                        reading=reading,
                        page=open_page,
                        body=body,
                        item=item,
                        observed_second=page.observed_second,
                        place=place_of_lists(body, account.account_id),
                    )
                    self._ready.put(cut, cut.place, below=True)
                else:
                    self._put_or_tell(reading.root, item, body, envelope)
            for below in listing.below:
                self._take_below(reading, open_page, below, body, item, envelope)
        self._object(listing.object_name).pages += 1
        if reading.above is not None:
            self._refusals.note_read(account.account_id, listing.endpoint.path)
        self._settle(reading)

    def _take_below(
        self,
        reading: Reading,
        page: OpenPage,
        below: Listing,
        body: bytes,
        item: Item,
        envelope: Envelope,
    ) -> None:
        """Take a list of an object out of its body, or else ask for it."""
        if below.endpoint.parent != item.object_name:
            return
        elements = shown_inside(body, below.inside) if below.inside else None
        if elements is None:
            self._branch(reading, page, below, body, item)
            return
        for element in elements:
            shown = self._items.read(element, reading.root.account.account_id)
            if below.stores(shown.object_name) and self._is_wanted(shown):
                self._put_or_tell(reading.root, shown, element, envelope)
            for deeper in below.below:
                self._take_below(reading, page, deeper, element, shown, envelope)

    def _branch(
        self, reading: Reading, page: OpenPage, below: Listing, body: bytes, item: Item
    ) -> None:
        """Read a list of an object that was shown."""
        field = below.endpoint.only_parents_with
        if not item.object_id or (field and not has_field(body, field)):
            return
        closed = self._refusals.closed_for(reading.root.account.account_id, below.endpoint.path)
        if closed:
            self._refuse_below(below, closed)
            return
        page.outstanding += 1
        self._queue(
            Reading(
                root=reading.root,
                listing=below,
                parent_id=item.object_id,
                above=(reading, page),
                window=Window(),
            )
        )

    def _take_refusal(self, reading: Reading, refused: StripeRefused) -> None:
        account, listing = reading.root.account, reading.listing
        if refused.reason == UNAUTHORIZED and not account.account_id:
            raise refused
        if reading.window.after and reading.repositioned < REPOSITIONED_MAX:
            # The object that the cursor names was deleted since.
            reading.step_back()
            self._queue(reading)
            return
        if reading.above is None:
            reading.root.skipped = reason_told(refused.reason, refused.said)
            self._skip_list(listing, reading.root.skipped)
        else:
            path = listing.endpoint.path
            self._refuse_below(listing, self._refusals.note(account.account_id, path, refused))
        reading.ended = True
        self._settle(reading)

    def _refuse_below(self, listing: Listing, reason: str) -> None:
        for object_name in listing.only or (listing.object_name,):
            self._object(object_name).refuse(reason)

    def _take_whole(self, cut: Cut, answer: Answer[Asked]) -> None:
        """Put an object with its lists whole, or as it is where they cannot be had."""
        root = cut.reading.root
        envelope = self._envelope(root.account, cut.observed_second, Evidence.LIST)
        body = cut.body if answer.error is not None else answer.found
        if self._put(root, cut.item, body, envelope):
            is_cut = answer.error is not None
        else:
            # It may fit without the rest of its lists.
            is_cut = body is not cut.body and self._put(root, cut.item, cut.body, envelope)
            self._object(cut.item.object_name).too_large += not is_cut
        self._object(cut.item.object_name).cut += is_cut
        cut.page.outstanding -= 1
        self._settle(cut.reading)

    def _take_single(self, root: Root, source: Single, answer: Answer[Asked]) -> None:
        refused = answer.error
        if isinstance(refused, StripeRefused):
            if refused.reason == UNAUTHORIZED and not root.account.account_id:
                raise refused
            if source.keeps:
                root.skipped = reason_told(refused.reason, refused.said)
                self._skip(source.object_name, root.skipped)
        else:
            retrieved: Retrieved = answer.found
            if not retrieved.gone:
                self._put_single(root, source, retrieved)
        self._finish(root)

    def _put_single(self, root: Root, source: Single, retrieved: Retrieved) -> None:
        item = self._items.read(retrieved.body, root.account.account_id)
        if source.object_name == ACCOUNT and item.created is not None:
            root.account.oldest = item.created
        if source.keeps:
            second = retrieved.observed_second
            envelope = self._envelope(root.account, second, Evidence.RETRIEVE)
            self._put_or_tell(root, item, retrieved.body, envelope)

    def _is_wanted(self, item: Item) -> bool:
        # What only its parent shows is written with the parent, by one writer.
        stored = item.key is not None and item.object_name not in self._owned
        return stored and self._scope.wants(item)

    def _put_or_tell(self, root: Root, item: Item, body: bytes, envelope: Envelope) -> None:
        self._object(item.object_name).too_large += not self._put(root, item, body, envelope)

    def _put(self, root: Root, item: Item, body: bytes, envelope: Envelope) -> bool:
        """Put an object into the inbox; false if it is too large for it."""
        tally = self._object(item.object_name)
        assert item.key is not None
        try:
            self._inbox.put(key=item.key, value=body, envelope=envelope)
        except RecordTooLarge:
            return False
        root.rows += 1
        tally.rows += 1
        self._put_since += 1
        self._meters.add(BACKFILL_OBJECTS, object=item.object_name)
        return True

    def _settle(self, reading: Reading) -> None:
        """Note what is done of a reading, and ask for its next page."""
        reading.settle()
        reading.root.account.changed = True
        self._queue(reading)
        if not reading.done:
            return
        if reading.above is not None:
            above, page = reading.above
            page.outstanding -= 1
            self._settle(above)
            return
        reading.root.readings.remove(reading)
        if not reading.root.readings:
            self._finish(reading.root)

    def _finish(self, root: Root) -> None:
        root.done = True
        root.account.changed = True
        self._active.remove(root)

    def _save_if_due(self) -> None:
        seconds = self._clock.monotonic_seconds() - self._saved_at
        if seconds >= self._save_seconds or self._put_since >= SAVE_RECORDS_MAX:
            self._save()

    def _save(self) -> None:
        """Let Kafka have all that was put, then move the cursors up to it."""
        self._inbox.flush()
        for account in self._accounts:
            if account.changed:
                self._cursors.put(account.key, account.as_json())
                account.changed = False
        self._tally_shares()
        self._accounts = [account for account in self._accounts if not account.done]
        self._put_since = 0
        self._saved_at = self._clock.monotonic_seconds()

    def _tally_shares(self) -> None:
        """Note how much of each type is read, over its lists of the accounts at work."""
        shares: dict[str, list[float | None]] = {}
        for root in (root for account in self._accounts for root in account.roots):
            shares.setdefault(root.source.object_name, []).append(root.share_read())
        for object_name, found in shares.items():
            tally = self._tally.objects.get(object_name)
            if tally is not None:
                known = [share for share in found if share is not None]
                tally.share = sum(known) / len(found) if len(known) == len(found) else None

    def _envelope(self, account: Account, observed_second: int, evidence: Evidence) -> Envelope:
        return Envelope(
            kind=Kind.SNAPSHOT,
            source=Source.BACKFILL,
            received_at=self._clock.utc_micros(),
            account_id=account.account_id,
            observed_second=observed_second,
            evidence=evidence,
        )

    def _object(self, object_name: str) -> ObjectTally:
        return self._tally.of(object_name, now=self._clock.monotonic_seconds())

    def _count_request(self, object_name: str, retries: int) -> None:
        tally = self._object(object_name)
        tally.requests += 1
        tally.retries += retries
        self._meters.add(BACKFILL_REQUESTS, object=object_name)
        if retries:
            self._meters.add(BACKFILL_RETRIES, retries, object=object_name)

    def _skip_list(self, listing: Listing, reason: str) -> None:
        for object_name in listing.only or (listing.object_name,):
            self._skip(object_name, reason)

    def _skip(self, object_name: str, reason: str) -> None:
        self._object(object_name).skip(reason)
