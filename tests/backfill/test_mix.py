"""However uneven the questions are, an account's limit is used; driven by a hand clock."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from producer.backfill_command import REQUESTS_AT_ONCE
from producer.backfill_ready import Place, Ready
from producer.rate_bucket import Purpose
from producer.rate_limit import AllowedRates, RateLimiter

ALLOWED = AllowedRates(account_per_second=100.0, endpoint_per_second=25.0)
SECONDS = 60.0


@dataclass(slots=True)
class HandClock:
    """A clock that only the test moves."""

    seconds: float = 0.0

    def utc_micros(self) -> int:
        return 0

    def monotonic_seconds(self) -> float:
        return self.seconds


@dataclass(slots=True)
class Threads:
    """What a backfill's loop and its threads do, one thing after the other.

    Attributes:
        answer_seconds: Stripe's.
        granted: how many requests were sent to each endpoint.
    """

    answer_seconds: float
    clock: HandClock = field(default_factory=HandClock)
    ready: Ready[str] = field(default_factory=Ready)
    granted: dict[str, int] = field(default_factory=dict)
    limiter: RateLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = RateLimiter(clock=self.clock, allowed=ALLOWED)

    def put(self, endpoint: str, count: int, *, below: bool) -> None:
        for _question in range(count):
            self.ready.put(endpoint, ("", endpoint), below=below)

    def run(self, has_room: Callable[[Place, int], bool]) -> None:
        """All threads until `SECONDS` have passed."""
        waiting: dict[str, int] = {}
        answers: list[tuple[float, str]] = []
        while self.clock.seconds < SECONDS:
            while answers and answers[0][0] <= self.clock.seconds:
                self.ready.note_answer(("", heapq.heappop(answers)[1]))
            idle = REQUESTS_AT_ONCE - len(answers) - sum(waiting.values())
            while idle > 0 and (taken := self.ready.take(has_room)) is not None:
                endpoint = taken[0]
                self.limiter.expect(account_id="", endpoint=endpoint)
                waiting[endpoint] = waiting.get(endpoint, 0) + 1
                idle -= 1
            # As the locks do it: one of each endpoint waits for the clock.
            soonest = [self.answer_seconds, *(at - self.clock.seconds for at, _ in answers[:1])]
            for endpoint in [name for name, count in waiting.items() if count]:
                permit, seconds, _binding = self.limiter.try_acquire(
                    account_id="", endpoint=endpoint, purpose=Purpose.BACKGROUND
                )
                if permit is None:
                    soonest.append(seconds)
                    continue
                waiting[endpoint] -= 1
                self.granted[endpoint] = self.granted.get(endpoint, 0) + 1
                heapq.heappush(answers, (self.clock.seconds + self.answer_seconds, endpoint))
                soonest.append(0.0)
            self.clock.seconds += max(min(soonest), 0.0005)

    def has_room(self, place: Place, pending: int) -> bool:
        return self.limiter.has_room(account_id=place[0], endpoint=place[1], pending=pending)


def used(threads: Threads) -> float:
    """The share of the account's limit that was used."""
    return sum(threads.granted.values()) / SECONDS / ALLOWED.account_per_second


def uneven(answer_seconds: float) -> Threads:
    """Thousands of children of one endpoint, put first, and pages of others."""
    threads = Threads(answer_seconds=answer_seconds)
    threads.put("/v1/products/{}/features", 10_000, below=True)
    for name in ("charges", "invoices", "refunds", "payouts"):
        threads.put(f"/v1/{name}", 2_000, below=False)
    return threads


@pytest.mark.parametrize("answer_seconds", [0.05, 0.2, 0.5])
def test_thousands_of_questions_of_one_endpoint_leave_the_rest_of_the_limit_to_others(
    answer_seconds: float,
) -> None:
    threads = uneven(answer_seconds)

    threads.run(threads.has_room)

    assert used(threads) >= 0.95
    # And the endpoint has its own share all the while, as the newest work is the dearest.
    assert threads.granted["/v1/products/{}/features"] / SECONDS >= 0.9 * 25


@pytest.mark.parametrize("answer_seconds", [0.05, 0.5, 2.0])
def test_one_endpoint_alone_is_asked_at_its_own_limit(answer_seconds: float) -> None:
    threads = Threads(answer_seconds=answer_seconds)
    threads.put("/v1/products/{}/features", 10_000, below=True)

    threads.run(threads.has_room)

    assert threads.granted["/v1/products/{}/features"] / SECONDS >= 0.95 * 25


def test_without_that_they_would_hold_every_thread() -> None:
    threads = uneven(0.2)

    threads.run(lambda _place, _pending: True)

    assert used(threads) < 0.7


def test_what_is_below_an_open_page_goes_before_further_pages_the_newest_first() -> None:
    ready: Ready[str] = Ready()
    ready.put("page", ("", "/v1/products"), below=False)
    ready.put("older", ("", "/v1/products/{}/features"), below=True)
    ready.put("newer", ("", "/v1/products/{}/features"), below=True)

    taken = [ready.take(lambda _place, _pending: True) for _question in range(4)]

    assert [one[0] if one else None for one in taken] == ["newer", "older", "page", None]
    assert not ready


def test_questions_that_end_without_a_request_hold_no_place_for_ever() -> None:
    # The address of a list inside an object cannot be used, and the like.
    threads = Threads(answer_seconds=0.1)
    place = ("", "/v1/invoices/{}/lines")
    threads.put(place[1], 100, below=True)

    for _question in range(100):
        assert threads.ready.take(threads.has_room) is not None
        threads.limiter.expect(account_id="", endpoint=place[1])
        threads.ready.note_answer(place)

    assert not threads.ready
