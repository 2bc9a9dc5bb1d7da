"""Backfill first, polling later, and no change between them is missed."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from producer.asking import Asking
from producer.errors import LimiterStopped, StripeRefused
from producer.event_list import EventList
from producer.kafka_cursors import Cursors
from producer.poll_cursor import PollCursor, cursor_key
from runtime import logs
from runtime.stop import Stop

ACCOUNTS_AT_ONCE: Final = 8
TURN_SECONDS: Final = 0.5


def take_cursors(
    accounts: Sequence[str], *, events: EventList, cursors: Cursors, stop: Stop
) -> None:
    """Let polling begin with now, for the accounts for which it never did.

    Called before a backfill reads its first list: a change during the backfill, and after it,
    then waits in Stripe's list of events for the poller, however late that is started. One that
    is started too late says so, and backfills anew.

    Raises:
        StripeUnreachable: Stripe did not answer for minutes.
        KafkaUnreachable: no answer.
    """
    stored = cursors.read()
    asking: Asking[str] = Asking(threads=ACCOUNTS_AT_ONCE, stop=stop)
    try:
        for account_id in accounts:
            if cursor_key(account_id) not in stored:
                asking.ask(account_id, partial(events.now_second, account_id))
        while asking.outstanding and not stop.requested:
            answer = asking.answer(seconds_max=TURN_SECONDS)
            if answer is None or isinstance(answer.error, LimiterStopped):
                continue
            if isinstance(answer.error, StripeRefused):
                # A backfill alone is of use; the poller will tell it as loudly as it has to.
                logs.logger("backfill").warning(
                    "no cursor for polling: the key may not read events",
                    account=answer.token,
                    reason=answer.error.reason,
                )
            elif answer.error is not None:
                raise answer.error
            else:
                cursors.put(cursor_key(answer.token), PollCursor(second=answer.found).stored())
    finally:
        asking.close()
