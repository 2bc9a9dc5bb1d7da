"""Polls Stripe's list of events, so that a webhook which was lost for good is made up for."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from producer.backfill_scope import FINISHED, GAP, backfill_key
from producer.errors import (
    LimiterStopped,
    RecordTooLarge,
    RequestRefused,
    StripeRefused,
    StripeUnreachable,
)
from producer.event_list import EventList, ListedEvent, Slice
from producer.making_up import MakingUp
from producer.poll_cursor import RETENTION_SECONDS, PollCursor, cursor_key, poll_cursors
from producer.remembered_events import RememberedEvents
from producer.routing import Router
from runtime import logs
from runtime.clock import Clock
from runtime.errors import StripelineError
from runtime.metrics import POLL_BACKFILL_DUE, POLL_EVENTS, POLL_LAG_SECONDS, Meters
from schemas.inbox import Envelope, Source

FAILURES_IN_A_ROW_MAX: Final = 3
"""Accounts without an answer, one after the other: then it is Stripe that is away."""
ACCOUNTS_AT_ONCE: Final = 8
"""Asked side by side: an answer takes long, and each account has limits of its own."""
CURSOR_SECONDS_MAX: Final = 60
"""A quiet account's cursor is stored again when it is that old."""


class Outcome(StrEnum):
    """What became of an event that Stripe listed."""

    WRITTEN = "written"
    REPEATED = "repeated"
    """It was written before."""
    OTHER_MODE = "other_mode"
    TOO_LARGE = "too_large"


class Writer(Protocol):
    """What is needed of the inbox."""

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        """Hand one record over."""
        ...

    def flush(self) -> None:
        """Return when Kafka has every record put so far."""
        ...


class StoredCursors(Protocol):
    """What is needed of the cursors' topic."""

    def read(self) -> dict[str, dict[str, Any]]:
        """The newest value of each key."""
        ...

    def put(self, key: str, value: dict[str, Any]) -> None:
        """Store a value; it is durable when this returns."""
        ...


class Poller:
    """One round after the other, each over all accounts.

    **Invariant:** a cursor moves, and an event is remembered, only after the flush that follows
    the events' last put. Killed anywhere, it reads the same events again, and the relay drops
    what it has published already.
    """

    def __init__(
        self,
        *,
        events: EventList,
        accounts: Callable[[], Iterable[str]],
        writer: Writer,
        cursors: StoredCursors,
        router: Router,
        livemode: bool | None,
        overlap_seconds: int,
        backfill: Callable[[str], None],
        clock: Clock,
        meters: Meters,
    ) -> None:
        """Nothing is read before the first round.

        Args:
            events: Stripe's list of them.
            accounts: ids of all accounts to poll; empty for the merchant's own.
            writer: of the inbox.
            cursors: as stored.
            router: tells where an event belongs.
            livemode: the mode whose events are stored; none stores both.
            overlap_seconds: how much is read again each time, for events that are listed late.
            backfill: makes up for what an account's events tell no more; may take hours, on a
                thread of its own: polling goes on, of that account too.
            clock: for the lag between two answers of Stripe.
            meters: for the metrics.
        """
        self._events = events
        self._accounts = accounts
        self._writer = writer
        self._cursors = cursors
        self._router = router
        self._livemode = livemode
        self._overlap_seconds = overlap_seconds
        self._backfill = backfill
        self._clock = clock
        self._meters = meters
        self._remembered = RememberedEvents()
        self._held: dict[str, PollCursor] = {}
        self._seconds_stored: dict[str, int] = {}
        self._polled: list[str] = []
        self._loaded = False
        self._polled_once = False
        self._stripe_ahead: float | None = None
        self._writing = threading.Lock()
        self._gaps: Counter[str] = Counter()
        self._making_up = MakingUp(self._make_up)

    def poll(self) -> None:
        """One round over all accounts.

        Raises:
            StripeUnreachable: Stripe did not answer; what was read before is written.
            StripeRefused: the key may not read the merchant's own events.
            KafkaUnreachable: what was read last is not written, and will be read again.
        """
        if not self._loaded:
            self._load()
        self._polled = list(self._accounts())
        polling = _Round(failures_max=min(FAILURES_IN_A_ROW_MAX, len(self._polled)))
        with ThreadPoolExecutor(ACCOUNTS_AT_ONCE, thread_name_prefix="poll") as threads:
            rounds = [threads.submit(self._take_part, polling, one) for one in self._polled]
        for outcome in rounds:
            outcome.result()
        self._forget()
        self.show_lag()
        self._polled_once = True

    def await_backfills(self, *, seconds_max: float) -> None:
        """Wait until no backfill runs; where the limiter was stopped, that is soon."""
        self._making_up.await_end(seconds_max=seconds_max)

    def show_lag(self) -> None:
        """Let the metric say how far behind Stripe's clock the slowest account is."""
        cursors = self._cursors_polled()
        if self._stripe_ahead is None or not cursors:
            return
        now = self._clock.monotonic_seconds() + self._stripe_ahead
        slowest = min(cursor.second for cursor in cursors)
        self._meters.set_to(POLL_LAG_SECONDS, max(0.0, now - slowest))
        self._meters.set_to(POLL_BACKFILL_DUE, sum(cursor.backfill_due for cursor in cursors))

    @property
    def doubt(self) -> str:
        """Why the tables may lack something that polling should have brought; empty if not."""
        if not self._polled_once:
            return "Stripe's events were not looked at yet"
        if any(cursor.backfill_due for cursor in self._cursors_polled()):
            return "events older than 30 days are gone, and the backfill is not done yet"
        return ""

    def _load(self) -> None:
        """Take up the cursors where they were stored."""
        self._held = poll_cursors(self._cursors.read())
        self._seconds_stored = {one: cursor.second for one, cursor in self._held.items()}
        self._loaded = True

    def _cursors_polled(self) -> list[PollCursor]:
        return [self._held[account_id] for account_id in self._polled if account_id in self._held]

    def _take_part(self, polling: "_Round", account_id: str) -> None:
        """Poll one account, unless the round is over."""
        if polling.is_over:
            return
        try:
            self._poll_account(account_id)
        except LimiterStopped:
            polling.is_over = True
            raise
        except StripeUnreachable as error:
            polling.failures += 1
            if polling.failures >= polling.failures_max:
                polling.is_over = True
                raise
            _tell_left_out(account_id, type(error).__name__)
        except StripeRefused as refused:
            if not account_id:
                raise
            # An account that was disconnected is listed for some time yet.
            _tell_left_out(account_id, refused.reason)
        except BaseException:
            polling.is_over = True
            raise
        else:
            polling.failures = 0

    def _poll_account(self, account_id: str) -> None:
        cursor = self._held.get(account_id)
        if cursor is None:
            self._begin(account_id)
            return
        has_gap = False
        for part in self._events.slices(
            account_id,
            since=max(0, cursor.second - self._overlap_seconds),
            known=lambda event_id: _name(account_id, event_id) in self._remembered,
        ):
            # Reading is side by side; whatever is written is written by one at a time.
            with self._writing:
                self._note_now(part.now)
                if not has_gap and cursor.lost_touch(part.now):
                    has_gap = True
                    self._note_gap(account_id, cursor, now=part.now)
                self._write(account_id, part)
                # Meanwhile a backfill may have come to its end.
                cursor = self._held[account_id]
                # Where reading begins far behind the cursor, its first slices end behind it too.
                cursor = replace(cursor, second=max(cursor.second, part.complete_before))
                self._move(account_id, cursor, written=bool(part.events))
        if cursor.backfill_due:
            self._making_up.want(account_id)

    def _begin(self, account_id: str) -> None:
        """Take the first cursor: from now on nothing is missed."""
        now = self._events.now_second(account_id)
        with self._writing:
            self._note_now(now)
            self._store(account_id, PollCursor(second=now))
        logs.logger("poll").warning(
            "polling begins now, and a backfill is due",
            account=account_id,
            second=now,
            command=f"stripeline producer backfill{' --connected' if account_id else ''}",
        )

    def _note_gap(self, account_id: str, cursor: PollCursor, *, now: int) -> None:
        """Say that events are gone, and remember it until a backfill has made up for them.

        Also of one that was due already: what that has read may have changed since.
        """
        logs.logger("poll").error(
            "events older than 30 days are gone: a backfill is due",
            account=account_id,
            stood_at=cursor.second,
            missed_seconds=now - RETENTION_SECONDS - cursor.second,
        )
        self._gaps[account_id] += 1
        self._begin_anew(account_id)
        self._store(account_id, replace(cursor, backfill_due=True))

    def _begin_anew(self, account_id: str) -> None:
        """Let the account's backfill not go on from where an earlier one stood."""
        self._cursors.put(backfill_key(account_id, selection=GAP), dict(FINISHED))

    def _make_up(self, account_id: str) -> None:
        """Backfill, now that what Stripe still lists is in the inbox and the cursor beyond it."""
        gaps = self._gaps[account_id]
        logs.logger("poll").warning("backfill begins", account=account_id)
        try:
            self._backfill(account_id)
            with self._writing:
                if self._gaps[account_id] != gaps:
                    self._begin_anew(account_id)
                    return
                self._store(account_id, replace(self._held[account_id], backfill_due=False))
        except LimiterStopped:
            raise
        except StripelineError as error:
            # It goes on where it stood with the next round.
            logs.logger("poll").error(
                "backfill did not get through", account=account_id, reason=type(error).__name__
            )
            return
        logs.logger("poll").info("backfill done", account=account_id)

    def _write(self, account_id: str, part: Slice) -> None:
        """Put the slice's events into the inbox, and remember them when they are there."""
        outcomes = Counter(self._put(account_id, event) for event in part.events)
        self._writer.flush()
        for event in part.events:
            self._remembered.add(_name(account_id, event.event_id), second=event.second)
        outcomes[Outcome.REPEATED] = part.repeated
        for outcome in Outcome:
            self._meters.add(POLL_EVENTS, outcomes[outcome], outcome=outcome.value)

    def _put(self, account_id: str, event: ListedEvent) -> "Outcome":
        """Hand one event to the inbox, if it is one that is stored."""
        try:
            route = self._router.route(event.body, account_id=account_id)
        except RequestRefused as refused:
            raise StripeUnreachable("Stripe listed something else than events.") from refused
        if self._livemode is not None and route.livemode is (not self._livemode):
            return Outcome.OTHER_MODE
        envelope = Envelope(
            kind=route.kind,
            source=Source.POLL,
            received_at=self._clock.utc_micros(),
            account_id=route.account_id,
        )
        try:
            self._writer.put(key=route.key, value=event.body, envelope=envelope)
        except RecordTooLarge:
            # Whatever waited for it would wait for ever; reconcile finds what it changed.
            logs.logger("poll").error(
                "event is larger than an inbox record may be", event_id=event.event_id
            )
            return Outcome.TOO_LARGE
        return Outcome.WRITTEN

    def _move(self, account_id: str, cursor: PollCursor, *, written: bool) -> None:
        """Let the cursor stand where it does now; not each quiet second is worth a record."""
        self._held[account_id] = cursor
        if written or cursor.second - self._seconds_stored[account_id] >= CURSOR_SECONDS_MAX:
            self._store(account_id, cursor)
        self.show_lag()

    def _store(self, account_id: str, cursor: PollCursor) -> None:
        self._cursors.put(cursor_key(account_id), cursor.stored())
        self._held[account_id] = cursor
        self._seconds_stored[account_id] = cursor.second

    def _note_now(self, stripe_second: int) -> None:
        self._stripe_ahead = stripe_second - self._clock.monotonic_seconds()

    def _forget(self) -> None:
        """Forget events that no overlap reaches any more."""
        cursors = self._cursors_polled()
        if cursors:
            oldest = min(cursor.second for cursor in cursors)
            self._remembered.forget_before(oldest - self._overlap_seconds)


@dataclass(slots=True, kw_only=True)
class _Round:
    """One round over all accounts.

    Attributes:
        failures_max: in a row, and Stripe is away.
        is_over: whether accounts that were not polled yet are left for the next round.
    """

    failures_max: int
    failures: int = 0
    is_over: bool = False


def _tell_left_out(account_id: str, reason: str) -> None:
    logs.logger("poll").warning("account not polled", account=account_id, reason=reason)


def _name(account_id: str, event_id: str) -> str:
    return f"{account_id}/{event_id}"
