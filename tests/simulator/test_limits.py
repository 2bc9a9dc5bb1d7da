"""Rate limits: what is refused, how, and what is counted."""

import httpx
import pytest
from stripe import RateLimitError, StripeClient

from runtime.clock import MICROS_PER_SECOND
from simulator.limits import Limits, Pace
from simulator.server import Simulator


class StoppedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def utc_micros(self) -> int:
        return int(self.seconds * MICROS_PER_SECOND)

    def monotonic_seconds(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def refusals(pace: Pace, count: int, *, account: str = "", endpoint: str = "GET /a") -> list[str]:
    return [pace.refuses(account=account, endpoint=endpoint) for _ in range(count)]


def test_without_a_limit_nothing_is_refused_and_all_is_counted(
    simulator: Simulator, client: StripeClient
) -> None:
    made = client.v1.customers.create({})
    for _ in range(30):
        client.v1.customers.retrieve(made.id)

    answered = simulator.requests_by_second(endpoint="GET /v1/customers/{id}")

    assert sum(answered.values()) == 30
    assert sum(simulator.requests_by_second().values()) == 31
    assert simulator.requests_refused() == 0


def test_one_request_too_many_is_refused_as_stripe_does(
    simulator: Simulator, client: StripeClient
) -> None:
    simulator.put_limits(requests_per_second=0.001)
    client.v1.customers.list()

    with pytest.raises(RateLimitError) as refused:
        client.v1.customers.list()

    headers, body = refused.value.headers, refused.value.json_body
    assert isinstance(body, dict)
    assert body["error"]["code"] == "rate_limit"
    assert headers is not None
    assert headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert "Retry-After" not in headers
    assert simulator.requests_refused() == 1


def test_an_endpoint_has_a_limit_of_its_own_whatever_ids_its_path_has(
    simulator: Simulator, http: httpx.Client
) -> None:
    simulator.put_limits(requests_per_second_per_endpoint=0.001)

    first = http.get("/v1/customers/cus_a")
    second = http.get("/v1/customers/cus_b")
    another = http.get("/v1/customers")

    assert (first.status_code, second.status_code, another.status_code) == (404, 429, 200)
    assert second.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"


def test_a_refused_request_takes_no_effect(simulator: Simulator, client: StripeClient) -> None:
    simulator.put_limits(requests_per_second_per_endpoint=0.001)
    client.v1.customers.create({})

    with pytest.raises(RateLimitError):
        client.v1.customers.create({})

    assert len(client.v1.customers.list().data) == 1


def test_a_second_brings_as_many_requests_as_are_allowed(clock: StoppedClock) -> None:
    pace = Pace(Limits(requests_per_second=25), clock=clock)

    assert refusals(pace, 30).count("global-rate") == 5
    clock.seconds += 0.2
    assert refusals(pace, 30).count("global-rate") == 25
    clock.seconds += 60
    assert refusals(pace, 30).count("global-rate") == 5


def test_each_account_has_limits_of_its_own(clock: StoppedClock) -> None:
    pace = Pace(Limits(requests_per_second=1), clock=clock)

    assert refusals(pace, 2) == ["", "global-rate"]
    assert refusals(pace, 2, account="acct_a") == ["", "global-rate"]


def test_a_request_that_one_limit_refuses_uses_up_nothing_of_the_other(
    clock: StoppedClock,
) -> None:
    limits = Limits(requests_per_second=2, requests_per_second_per_endpoint=1)
    pace = Pace(limits, clock=clock)

    assert refusals(pace, 3) == ["", "endpoint-rate", "endpoint-rate"]
    assert refusals(pace, 1, endpoint="GET /b") == [""]
    assert refusals(pace, 1, endpoint="GET /c") == ["global-rate"]


def test_new_limits_begin_to_count_anew(simulator: Simulator, client: StripeClient) -> None:
    client.v1.customers.list()
    simulator.put_limits()

    assert simulator.requests_by_second() == {}
