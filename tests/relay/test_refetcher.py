"""What is fetched in the background: an outage is waited for, and nothing waits for ever."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import count

import pytest

from producer.errors import RateLimited, StripeUnreachable
from producer.refetch import PASSED_OVER_MAX, THREADS, Fetched, Refetcher, Wish
from producer.stripe_api import Retrieved
from tests.end_to_end.services import eventually

SECONDS_MAX = 60.0


class HurriedClock:
    """Each look at it is a minute later than the one before, so that no pause lasts."""

    def __init__(self) -> None:
        self._looks = count()

    def utc_micros(self) -> int:
        return 0

    def monotonic_seconds(self) -> float:
        return 60.0 * next(self._looks)


class ToldStripe:
    """Shows every object, save those for which the test tells an error."""

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.away: Exception | None = None
        self.asked: Counter[str] = Counter()

    def retrieve(
        self,
        *,
        path: str,  # noqa: ARG002 - asked for by the protocol, as those below
        object_name: str,  # noqa: ARG002
        object_id: str,
        account_id: str,  # noqa: ARG002
        expand: Sequence[str],  # noqa: ARG002
        whole: bool,  # noqa: ARG002
    ) -> Retrieved:
        self.asked[object_id] += 1
        error = self.away or self.errors.get(object_id)
        if error is not None:
            raise error
        return Retrieved(body=b"{}", observed_second=9, gone=False)


class Fetching:
    """A refetcher at work, and what came of its wishes."""

    def __init__(self) -> None:
        self.stripe = ToldStripe()
        self.refetcher = Refetcher(api=self.stripe, clock=HurriedClock(), per_second_max=100.0)
        self._done: dict[str, Fetched] = {}

    def ask(self, *object_ids: str) -> None:
        for object_id in object_ids:
            self.refetcher.ask(
                Wish(
                    name=object_id,
                    key=object_id,
                    object_name="customer",
                    path=f"/v1/customers/{object_id}",
                    object_id=object_id,
                    account_id="",
                    partition=0,
                    after_second=1,
                )
            )

    def done(self) -> dict[str, Fetched]:
        self._done |= {one.wish.object_id: one for one in self.refetcher.done()}
        return self._done

    def await_that(self, claim: Callable[[], bool], what: str) -> None:
        eventually(claim, seconds_max=SECONDS_MAX, what=what)


@pytest.fixture
def fetching() -> Iterator[Fetching]:
    """A refetcher whose threads run."""
    found = Fetching()
    found.refetcher.start()
    yield found
    found.refetcher.stop()


def test_an_error_that_nobody_foresaw_refuses_its_wish_and_leaves_the_thread_to_others(
    fetching: Fetching,
) -> None:
    odd = [f"cus_odd_{number}" for number in range(2 * THREADS)]
    fetching.stripe.errors = dict.fromkeys(odd, ValueError("of a body"))
    fetching.ask(*odd, "cus_1")
    fetching.await_that(lambda: len(fetching.done()) == len(odd) + 1, "all are answered")
    assert {fetching.done()[one].refusal for one in odd} == {"error"}
    assert fetching.done()["cus_1"].retrieved is not None


def test_an_object_that_stripe_cannot_show_while_it_shows_others_is_given_up(
    fetching: Fetching,
) -> None:
    fetching.stripe.errors = {"cus_bad": StripeUnreachable("500")}
    fetching.ask("cus_bad")
    numbers = count()

    def given_up() -> bool:
        fetching.ask(f"cus_{next(numbers)}")
        return "cus_bad" in fetching.done()

    fetching.await_that(given_up, "it is given up")
    assert fetching.done()["cus_bad"].refusal == "unanswered"
    assert fetching.stripe.asked["cus_bad"] >= PASSED_OVER_MAX


@pytest.mark.parametrize("error", [StripeUnreachable("503"), RateLimited("429")])
def test_an_outage_of_stripe_is_waited_for_however_long(
    fetching: Fetching, error: StripeUnreachable
) -> None:
    fetching.stripe.away = error
    fetching.ask("cus_1", "cus_2")
    fetching.await_that(
        lambda: (
            min(fetching.stripe.asked[one] for one in ("cus_1", "cus_2")) > 3 * PASSED_OVER_MAX
        ),
        "each is asked for often",
    )
    assert fetching.done() == {}
    fetching.stripe.away = None
    fetching.await_that(lambda: len(fetching.done()) == 2, "both are fetched")
    assert {one.refusal for one in fetching.done().values()} == {""}


def test_too_many_requests_are_no_fault_of_the_object(fetching: Fetching) -> None:
    fetching.stripe.errors = {"cus_busy": RateLimited("429")}
    fetching.ask("cus_busy")
    numbers = count()

    def asked_often() -> bool:
        fetching.ask(f"cus_{next(numbers)}")
        return fetching.stripe.asked["cus_busy"] > 2 * PASSED_OVER_MAX

    fetching.await_that(asked_often, "it is asked for often")
    assert "cus_busy" not in fetching.done()
