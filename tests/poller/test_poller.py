"""However polling is interrupted, the inbox has every event, and no cursor is ahead of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from producer.backfill_scope import FINISHED, GAP, backfill_key
from producer.errors import (
    KafkaUnreachable,
    RecordTooLarge,
    StripeRefused,
    StripeUnreachable,
)
from producer.event_list import EventList
from producer.poll_cursor import RETENTION_SECONDS, cursor_key
from producer.poller import ACCOUNTS_AT_ONCE, Poller
from producer.routing import Router
from runtime.metrics import POLL_BACKFILL_DUE, POLL_EVENTS, POLL_LAG_SECONDS, Meters
from schemas.inbox import Envelope, Kind, Source
from schemas.objects import load_catalogue
from tests.poller.listed_events import NOW, ListedEvents, number_of, told

OVERLAP_SECONDS = 600
END_SECONDS_MAX = 60.0
ROUTER = Router(catalogue=load_catalogue())


class Crash(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Steps:
    """Counts what the poller does to the outside, and lets one step go wrong.

    Attributes:
        fail_at: number of the step that fails; each is counted.
        failure: what is raised there.
    """

    fail_at: int = -1
    failure: BaseException = field(default_factory=Crash)
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.fail_at:
            raise self.failure


@dataclass(slots=True)
class Kafka:
    """The inbox and the cursors; what was put is there only after the flush."""

    steps: Steps = field(default_factory=Steps)
    inbox: list[tuple[str, bytes, Envelope]] = field(default_factory=list)
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: list[tuple[str, bytes, Envelope]] = field(default_factory=list)

    def put_event(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        self.steps.step()
        self.pending.append((key, value, envelope))

    def flush(self) -> None:
        try:
            self.steps.step()
        except BaseException:
            # Some of what was on its way may have arrived.
            self.inbox += self.pending[: len(self.pending) // 2]
            self.pending.clear()
            raise
        self.inbox += self.pending
        self.pending.clear()

    def put_cursor(self, key: str, value: dict[str, Any]) -> None:
        self.steps.step()
        self.cursors[key] = value

    def numbers(self) -> list[int]:
        return [number_of(value) for _key, value, _envelope in self.inbox]


@dataclass(frozen=True, slots=True)
class Writer:
    """The inbox as the poller sees it."""

    kafka: Kafka

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        self.kafka.put_event(key=key, value=value, envelope=envelope)

    def flush(self) -> None:
        self.kafka.flush()


@dataclass(frozen=True, slots=True)
class StoredCursors:
    """The cursors' topic as the poller sees it."""

    kafka: Kafka

    def read(self) -> dict[str, dict[str, Any]]:
        return dict(self.kafka.cursors)

    def put(self, key: str, value: dict[str, Any]) -> None:
        self.kafka.put_cursor(key, value)


def gap_key(account_id: str = "") -> str:
    """Of the cursor of a backfill that polling found due."""
    return backfill_key(account_id, selection=GAP)


def finish(poller: Poller) -> None:
    """Poll once, and let the backfills that are due then come to their end."""
    poller.poll()
    poller.await_backfills(seconds_max=END_SECONDS_MAX)


class FixedClock:
    """It stands still."""

    def utc_micros(self) -> int:
        return NOW * 1_000_000

    def monotonic_seconds(self) -> float:
        return 0.0


@dataclass(slots=True)
class Backfills:
    """Remembers what it was asked for; `failures` are raised by the next ones.

    Attributes:
        found: what the inbox had when each began.
        stood_at: the cursor from which each went on.
        meanwhile: is called within each.
    """

    kafka: Kafka
    accounts: list[str] = field(default_factory=list)
    found: list[list[int]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    stood_at: list[dict[str, Any] | None] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self, account_id: str) -> None:
        self.accounts.append(account_id)
        self.found.append(self.kafka.numbers())
        self.stood_at.append(self.kafka.cursors.get(gap_key(account_id)))
        self.meanwhile()
        if self.failures:
            raise self.failures.pop(0)


@dataclass(slots=True)
class Installation:
    """Stripe, Kafka, and whatever process polls."""

    listed: ListedEvents = field(default_factory=ListedEvents)
    kafka: Kafka = field(default_factory=Kafka)
    meters: Meters = field(default_factory=Meters)
    accounts: tuple[str, ...] = ("",)
    livemode: bool | None = None
    backfills: Backfills = field(init=False)

    def __post_init__(self) -> None:
        self.backfills = Backfills(self.kafka)

    def poller(self) -> Poller:
        """A new process."""
        self.kafka.pending.clear()
        return Poller(
            events=EventList(api=self.listed, may_go_on=lambda: True, slice_events_max=3),
            accounts=lambda: self.accounts,
            writer=Writer(self.kafka),
            cursors=StoredCursors(self.kafka),
            router=ROUTER,
            livemode=self.livemode,
            overlap_seconds=OVERLAP_SECONDS,
            backfill=self.backfills,
            clock=FixedClock(),
            meters=self.meters,
        )

    def second(self, account_id: str = "") -> int:
        """Where the cursor of an account stands."""
        return int(self.kafka.cursors[cursor_key(account_id)]["second"])


MADE = some.lists(
    some.tuples(
        # Seconds that pass; how late the event is listed; what becomes of the round after it.
        some.integers(0, 900),
        some.integers(0, OVERLAP_SECONDS - 1),
        some.sampled_from(["none", "poll", "crash", "kafka", "stripe"]),
        some.integers(1, 12),
    ),
    max_size=15,
)


@given(made=MADE)
def test_killed_anywhere_it_loses_nothing_and_the_cursor_is_never_ahead(
    made: list[tuple[int, int, str, int]],
) -> None:
    here = Installation(listed=ListedEvents(page_events_max=2))
    poller = here.poller()
    poller.poll()
    for number, (passed, late, outcome, fail_at) in enumerate(made):
        here.listed.now += passed
        here.listed.add(number, second=max(NOW, here.listed.now - late))
        before = here.kafka.numbers()
        if outcome == "crash":
            here.kafka.steps = Steps(fail_at=fail_at)
        elif outcome == "kafka":
            here.kafka.steps = Steps(fail_at=fail_at, failure=KafkaUnreachable("away"))
        elif outcome == "stripe":
            here.listed.failures[""] = [*[None] * (fail_at % 4), StripeUnreachable("away")]
        if outcome != "none":
            poller = _polled(here, poller)
        here.kafka.steps = Steps()
        here.listed.failures = {}
        assert here.kafka.numbers()[: len(before)] == before
        _assert_the_cursor_is_behind_the_inbox(here)

    here.poller().poll()

    assert set(here.kafka.numbers()) == set(range(len(made)))


def _polled(here: Installation, poller: Poller) -> Poller:
    """One round; the process that goes on after it."""
    try:
        poller.poll()
    except Crash:
        return here.poller()
    except (KafkaUnreachable, StripeUnreachable):
        pass
    return poller


def _assert_the_cursor_is_behind_the_inbox(here: Installation) -> None:
    there = set(here.kafka.numbers())
    for second, body in here.listed.events[""]:
        # What is listed late may be missing as far as the overlap reaches.
        assert second >= here.second() - OVERLAP_SECONDS or number_of(body) in there


def test_the_first_start_takes_the_cursor_and_leaves_the_past_to_the_backfill() -> None:
    here = Installation()
    here.listed.add(1, second=NOW - OVERLAP_SECONDS - 1)

    here.poller().poll()

    assert here.second() == NOW
    assert here.kafka.inbox == []
    assert here.backfills.accounts == []


def test_an_event_is_stored_as_stripe_shows_it_under_its_objects_key() -> None:
    here = Installation()
    poller = here.poller()
    poller.poll()
    here.listed.add(7, second=NOW)

    poller.poll()

    ((key, value, envelope),) = here.kafka.inbox
    assert (key, value) == ("cus_7", told(7, second=NOW))
    assert (envelope.kind, envelope.source) == (Kind.EVENT, Source.POLL)


def test_the_overlap_is_written_once_and_once_more_after_a_restart() -> None:
    here = Installation()
    poller = here.poller()
    poller.poll()
    here.listed.add(1, second=NOW)
    for _round in range(3):
        poller.poll()
    assert here.kafka.numbers() == [1]

    here.poller().poll()

    assert here.kafka.numbers() == [1, 1]
    assert here.meters.value(POLL_EVENTS, outcome="repeated") == 2
    assert here.meters.value(POLL_EVENTS, outcome="written") == 2


def test_what_was_not_flushed_is_not_remembered() -> None:
    here = Installation()
    poller = here.poller()
    poller.poll()
    here.listed.add(1, second=NOW)
    # The event is put, then the flush fails.
    here.kafka.steps = Steps(fail_at=2, failure=KafkaUnreachable("away"))
    with pytest.raises(KafkaUnreachable):
        poller.poll()

    poller.poll()

    assert here.kafka.numbers() == [1]


def test_an_event_of_the_other_mode_is_counted_once_and_not_stored() -> None:
    here = Installation(livemode=True)
    poller = here.poller()
    poller.poll()
    here.listed.add(1, second=NOW, livemode=False)
    here.listed.add(2, second=NOW, livemode=True)
    for _round in range(2):
        poller.poll()

    assert here.kafka.numbers() == [2]
    assert here.meters.value(POLL_EVENTS, outcome="other_mode") == 1


def test_an_event_too_large_for_the_inbox_holds_no_other_up() -> None:
    here = Installation()
    poller = here.poller()
    poller.poll()
    here.listed.add(1, second=NOW)
    here.listed.add(2, second=NOW)
    here.kafka.steps = Steps(fail_at=1, failure=RecordTooLarge("large"))
    poller.poll()

    assert here.kafka.numbers() == [2]
    assert here.meters.value(POLL_EVENTS, outcome="too_large") == 1


def test_each_account_has_a_cursor_and_keys_of_its_own() -> None:
    here = Installation(accounts=("", "acct_1", "acct_2"))
    here.listed.events |= {"acct_1": [], "acct_2": []}
    poller = here.poller()
    poller.poll()
    for account_id in here.accounts:
        here.listed.add(1, second=NOW, account_id=account_id)
    here.listed.now += 5

    poller.poll()

    assert {(key, envelope.account_id) for key, _value, envelope in here.kafka.inbox} == {
        ("cus_1", ""),
        ("acct_1/cus_1", "acct_1"),
        ("acct_2/cus_1", "acct_2"),
    }
    assert {here.second(account_id) for account_id in here.accounts} == {NOW + 5}


@pytest.mark.parametrize("failure", [StripeRefused("forbidden"), StripeUnreachable("away")])
def test_an_account_that_stripe_does_not_show_holds_no_other_up(failure: Exception) -> None:
    here = Installation(accounts=("", "acct_gone", "acct_2"))
    here.listed.events |= {"acct_gone": [], "acct_2": []}
    poller = here.poller()
    poller.poll()
    here.listed.add(1, second=NOW, account_id="acct_2")
    here.listed.failures = {"acct_gone": [failure]}

    poller.poll()

    assert here.kafka.numbers() == [1]


def test_stripe_is_away_when_no_account_is_answered() -> None:
    accounts = tuple(f"acct_{number}" for number in range(200))
    here = Installation(accounts=accounts)
    here.listed.failures = {account: [StripeUnreachable("away")] for account in accounts}

    with pytest.raises(StripeUnreachable):
        here.poller().poll()

    # Three failed, and some were on their way.
    assert len(here.listed.asked) <= 3 + ACCOUNTS_AT_ONCE


def test_after_a_gap_of_more_than_30_days_the_rest_is_read_and_then_a_backfill_runs() -> None:
    here = Installation()
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS + 1
    here.listed.add(1, second=here.listed.now - RETENTION_SECONDS + 5)

    finish(here.poller())

    assert here.backfills.found == [[1]]
    assert here.kafka.cursors[cursor_key("")]["backfill_due"] is False


def test_a_gap_of_30_days_and_less_is_none() -> None:
    here = Installation()
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS

    finish(here.poller())

    assert here.backfills.accounts == []


def test_the_backfill_of_a_gap_never_goes_on_from_where_an_older_one_stood() -> None:
    here = Installation()
    here.poller().poll()
    here.kafka.cursors[gap_key()] = {"finished": False, "oldest": 0, "lists": {}}
    here.listed.now += RETENTION_SECONDS + 1

    finish(here.poller())

    assert here.backfills.stood_at == [FINISHED]


def test_one_that_was_interrupted_before_another_gap_begins_anew_as_well() -> None:
    here = Installation()
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS + 1
    here.backfills.failures = [StripeUnreachable("away")]
    finish(here.poller())
    stands = {"finished": False, "oldest": 0, "lists": {}}
    here.kafka.cursors[gap_key()] = stands
    # Without another gap it goes on.
    here.backfills.failures = [StripeUnreachable("away")]
    here.listed.now += RETENTION_SECONDS
    finish(here.poller())
    here.listed.now += RETENTION_SECONDS + 1

    finish(here.poller())

    assert here.backfills.stood_at == [FINISHED, stands, FINISHED]
    assert here.kafka.cursors[cursor_key("")]["backfill_due"] is False


def test_the_old_cursor_is_given_up_before_a_backfill_is_known_to_be_due() -> None:
    here = Installation()
    here.poller().poll()
    stands = {"finished": False, "oldest": 0, "lists": {}}
    here.kafka.cursors[gap_key()] = stands
    here.listed.now += RETENTION_SECONDS + 1
    here.kafka.steps = Steps(fail_at=2)
    with pytest.raises(Crash):
        here.poller().poll()
    here.kafka.steps = Steps()

    finish(here.poller())

    assert here.backfills.stood_at == [FINISHED]


def test_while_one_account_is_backfilled_every_account_is_polled() -> None:
    due = tuple(f"acct_{number}" for number in range(ACCOUNTS_AT_ONCE))
    here = Installation(accounts=due)
    here.listed.events |= {account: [] for account in (*due, "acct_new")}
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS + 1
    released = threading.Event()
    here.backfills.meanwhile = lambda: _awaited(released)
    here.accounts = (*due, "acct_new")
    poller = here.poller()
    poller.poll()
    for number, account in enumerate(here.accounts):
        here.listed.add(number, second=here.listed.now, account_id=account)

    poller.poll()

    assert sorted(here.kafka.numbers()) == list(range(len(here.accounts)))
    assert len(here.backfills.accounts) == 1
    assert poller.doubt
    here.listed.now += 5
    poller.poll()
    released.set()
    poller.await_backfills(seconds_max=END_SECONDS_MAX)
    assert sorted(here.backfills.accounts) == sorted(due)
    # What was polled meanwhile stays polled.
    assert {here.second(account) for account in due} == {here.listed.now}
    assert poller.doubt == ""


def _awaited(event: threading.Event) -> None:
    assert event.wait(END_SECONDS_MAX)


def test_a_mistake_in_a_backfill_is_not_passed_over() -> None:
    here = Installation()
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS + 1
    here.backfills.failures = [AssertionError("our mistake")]
    poller = here.poller()
    finish(poller)

    with pytest.raises(AssertionError, match="our mistake"):
        poller.poll()


def test_a_backfill_that_did_not_get_through_is_due_until_it_does() -> None:
    here = Installation()
    here.poller().poll()
    here.listed.now += RETENTION_SECONDS + 1
    here.backfills.failures = [StripeUnreachable("away"), StripeUnreachable("away")]
    poller = here.poller()
    finish(poller)
    assert "30 days" in poller.doubt
    assert here.meters.value(POLL_BACKFILL_DUE) == 1
    # Polling goes on meanwhile, and another process knows of it too.
    here.listed.add(1, second=here.listed.now)
    finish(poller)
    assert here.kafka.numbers() == [1]
    poller = here.poller()

    finish(poller)

    assert poller.doubt == ""
    poller.show_lag()
    assert here.meters.value(POLL_BACKFILL_DUE) == 0
    assert here.backfills.accounts == ["", "", ""]
    finish(here.poller())
    assert here.backfills.accounts == ["", "", ""]


def test_the_lag_is_that_of_the_slowest_account() -> None:
    here = Installation(accounts=("", "acct_1"))
    here.listed.events["acct_1"] = []
    poller = here.poller()
    poller.poll()
    here.listed.now += 90
    here.listed.failures = {"acct_1": [StripeUnreachable("away")]}

    poller.poll()

    assert here.meters.value(POLL_LAG_SECONDS) == 90


def test_nothing_was_looked_at_yet() -> None:
    poller = Installation().poller()
    assert poller.doubt
    poller.poll()
    assert poller.doubt == ""


def test_many_accounts_are_polled_side_by_side_and_each_once() -> None:
    accounts = tuple(f"acct_{number}" for number in range(50))
    here = Installation(accounts=accounts)
    here.listed.events |= {account: [] for account in accounts}
    poller = here.poller()
    poller.poll()
    for number, account in enumerate(accounts):
        here.listed.add(number, second=NOW, account_id=account)
    for _round in range(2):
        poller.poll()

    assert sorted(here.kafka.numbers()) == list(range(50))
