"""However polling is interrupted, the inbox has every event, and no cursor is ahead of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from producer.errors import (
    KafkaUnreachable,
    RecordTooLarge,
    StripeRefused,
    StripeUnreachable,
)
from producer.poller import ACCOUNTS_AT_ONCE, Poller
from runtime.metrics import POLL_EVENTS, POLL_LAG_SECONDS
from schemas.inbox import Kind, Source
from tests.poller.listed_events import NOW, ListedEvents, number_of, told
from tests.poller.pollers import OVERLAP_SECONDS, Crash, Installation, Steps

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
