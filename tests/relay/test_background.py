"""Calls that may never come back: whoever waits can walk away."""

import threading

import pytest

from producer.background import Call
from producer.errors import NotCommitted, UnknownOutcome


def test_a_call_that_never_ends_is_an_unknown_outcome() -> None:
    never = threading.Event()

    def stuck() -> None:
        never.wait()

    call = Call(stuck, name="stuck")
    with pytest.raises(UnknownOutcome):
        call.outcome(seconds_max=0.01)
    never.set()


def test_what_a_call_raises_is_raised_where_it_is_waited_for() -> None:
    def aborted() -> None:
        raise NotCommitted("ILLEGAL_GENERATION")

    with pytest.raises(NotCommitted, match="ILLEGAL_GENERATION"):
        Call(aborted, name="aborted").outcome(seconds_max=10)


def test_a_call_that_ends_in_time_says_nothing() -> None:
    done = threading.Event()
    Call(done.set, name="quick").outcome(seconds_max=10)
    assert done.is_set()
