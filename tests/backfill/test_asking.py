"""Many questions at once, asked again while Stripe does not answer, and not for ever."""

from collections.abc import Iterator
from typing import Any

import pytest

from producer.asking import ATTEMPTS_MAX, Answer, Asking
from producer.errors import LimiterStopped, RateLimited, StripeRefused, StripeUnreachable
from runtime.retry import Backoff
from runtime.stop import Stop

ANSWER_SECONDS_MAX = 60.0


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def asking(stop: Stop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asking[str]]:
    at_once = Backoff(first_seconds=0.0, factor=1.0, pause_seconds_max=0.0)
    monkeypatch.setattr("producer.asking.BACKOFF", at_once)
    made: Asking[str] = Asking(threads=2, stop=stop)
    yield made
    made.close()


class Failing:
    """Fails so many times, then answers."""

    def __init__(self, error: Exception, *, times: int) -> None:
        self._error = error
        self._left = times
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        if self._left:
            self._left -= 1
            raise self._error
        return "found"


def answered(asking: Asking[str], question: Any) -> Answer[str]:
    asking.ask("token", question)
    answer = asking.answer(seconds_max=ANSWER_SECONDS_MAX)
    assert answer is not None
    return answer


def test_what_is_not_answered_is_asked_again(asking: Asking[str]) -> None:
    answer = answered(asking, Failing(StripeUnreachable("503"), times=3))

    assert (answer.token, answer.found, answer.error, answer.retries) == (
        "token",
        "found",
        None,
        3,
    )


def test_an_outage_ends_with_the_error_of_the_last_attempt(asking: Asking[str]) -> None:
    question = Failing(StripeUnreachable("503"), times=1_000)

    answer = answered(asking, question)

    assert isinstance(answer.error, StripeUnreachable)
    assert question.asked == ATTEMPTS_MAX


def test_a_429_is_asked_again_for_much_longer(asking: Asking[str]) -> None:
    answer = answered(asking, Failing(RateLimited("429"), times=10 * ATTEMPTS_MAX))

    assert (answer.found, answer.retries) == ("found", 10 * ATTEMPTS_MAX)


@pytest.mark.parametrize(
    "error", [StripeRefused("forbidden"), LimiterStopped("stop"), AssertionError("our mistake")]
)
def test_what_asking_again_does_not_change_is_asked_once(
    asking: Asking[str], error: Exception
) -> None:
    question = Failing(error, times=1_000)

    answer = answered(asking, question)

    assert (answer.error, question.asked) == (error, 1)


def test_whoever_stops_waits_for_no_further_attempt(asking: Asking[str], stop: Stop) -> None:
    stop.request()

    answer = answered(asking, Failing(StripeUnreachable("503"), times=1_000))

    assert answer.retries == 1


def test_it_knows_how_much_more_may_be_asked(asking: Asking[str]) -> None:
    assert asking.idle == 2
    asking.ask("token", lambda: None)
    assert (asking.idle, asking.outstanding) == (1, 1)
    asking.answer(seconds_max=ANSWER_SECONDS_MAX)
    assert (asking.idle, asking.outstanding) == (2, 0)
