"""What Stripe lists no more is made up for by a backfill that begins anew, beside the polling."""

import threading

import pytest

from producer.backfill_scope import FINISHED
from producer.errors import StripeUnreachable
from producer.poll_cursor import RETENTION_SECONDS, cursor_key
from producer.poller import ACCOUNTS_AT_ONCE
from runtime.metrics import POLL_BACKFILL_DUE
from tests.poller.pollers import END_SECONDS_MAX, Crash, Installation, Steps, finish, gap_key


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
