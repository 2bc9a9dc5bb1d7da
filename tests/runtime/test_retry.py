"""Pauses between attempts grow, are bounded, and spread clients that failed together."""

import random

from hypothesis import given
from hypothesis import strategies as st

from runtime.retry import Backoff, jitter

BACKOFFS = st.builds(
    Backoff,
    first_seconds=st.floats(min_value=0.001, max_value=10),
    factor=st.floats(min_value=1, max_value=10),
    pause_seconds_max=st.floats(min_value=0.001, max_value=600),
)
ATTEMPTS = st.integers(min_value=1, max_value=1_000_000)
JITTERS = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(backoff=BACKOFFS, attempt=ATTEMPTS, jitter=JITTERS)
def test_a_pause_is_positive_and_never_longer_than_the_maximum(
    backoff: Backoff, attempt: int, jitter: float
) -> None:
    pause = backoff.pause_seconds(attempt=attempt, jitter=jitter)

    assert 0 < pause <= backoff.pause_seconds_max


@given(backoff=BACKOFFS, attempt=ATTEMPTS)
def test_without_jitter_a_later_pause_is_never_shorter(backoff: Backoff, attempt: int) -> None:
    earlier = backoff.pause_seconds(attempt=attempt, jitter=0)
    later = backoff.pause_seconds(attempt=attempt + 1, jitter=0)

    assert later >= earlier


@given(backoff=BACKOFFS, attempt=ATTEMPTS, jitter=JITTERS)
def test_jitter_takes_away_at_most_half(backoff: Backoff, attempt: int, jitter: float) -> None:
    whole = backoff.pause_seconds(attempt=attempt, jitter=0)

    assert backoff.pause_seconds(attempt=attempt, jitter=jitter) > whole / 2 * 0.999


def test_pauses_grow_by_the_factor_until_the_maximum() -> None:
    backoff = Backoff(first_seconds=0.5, factor=2, pause_seconds_max=3)

    pauses = [backoff.pause_seconds(attempt=attempt, jitter=0) for attempt in range(1, 6)]

    assert pauses == [0.5, 1, 2, 3, 3]


def test_a_pause_in_the_background_leaves_a_seeded_generator_as_it_is() -> None:
    before = random.getstate()
    drawn = {jitter() for _ in range(20)}
    assert random.getstate() == before
    assert len(drawn) > 1
    assert all(0 <= one < 1 for one in drawn)
