"""The fault plan's faults of the API, and the control endpoints."""

import httpx
import pytest
from stripe import (
    APIConnectionError,
    APIError,
    InvalidRequestError,
    PermissionError,  # noqa: A004 - Stripe's name
    RateLimitError,
    RequestsClient,
    StripeClient,
)

from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.conftest import API_KEY
from tests.simulator.shop import Shop


def plan(kind: ResponseFaultKind, **fields: object) -> FaultPlan:
    return FaultPlan(responses=(ResponseFault.model_validate({"kind": kind, **fields}),))


def test_a_rate_limit_says_why_and_not_for_how_long(
    simulator: Simulator, client: StripeClient
) -> None:
    simulator.put_faults(plan(ResponseFaultKind.RATE_LIMITED, times=1))

    with pytest.raises(RateLimitError) as refused:
        client.v1.customers.list()

    assert refused.value.headers is not None
    assert refused.value.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert "Retry-After" not in refused.value.headers
    assert client.v1.customers.list().data == []


def test_what_is_forbidden_of_one_object_is_shown_of_another(
    simulator: Simulator, client: StripeClient
) -> None:
    shown, hidden = [client.v1.accounts.create().id for _account in range(2)]
    simulator.put_faults(plan(ResponseFaultKind.FORBIDDEN, path=f"/v1/accounts/{hidden}/persons"))

    assert client.v1.accounts.persons.list(shown).data == []
    with pytest.raises(PermissionError, match="permissions"):
        client.v1.accounts.persons.list(hidden)


def test_test_clocks_live_in_test_mode_only() -> None:
    with Simulator(Options(livemode=True)) as live:
        client = StripeClient(
            "sk_live_simulated", base_addresses={"api": live.url}, max_network_retries=0
        )
        assert client.v1.customers.list().data == []
        with pytest.raises(InvalidRequestError, match="only available in testmode"):
            client.v1.test_helpers.test_clocks.list()


def test_a_server_error_before_the_work_leaves_nothing(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.put_faults(plan(ResponseFaultKind.SERVER_ERROR, method="POST", times=1))

    with pytest.raises(APIError) as failed:
        client.v1.customers.create({})

    assert failed.value.http_status == 500
    assert shop.kinds() == []


def test_a_server_error_after_the_work_is_replayed_under_its_key(
    simulator: Simulator, client: StripeClient, shop: Shop
) -> None:
    simulator.put_faults(
        plan(ResponseFaultKind.SERVER_ERROR, method="POST", times=1, after_work=True)
    )
    options = {"idempotency_key": "saved"}

    for _ in range(2):
        with pytest.raises(APIError):
            client.v1.customers.create({"name": "x"}, options)  # type: ignore[arg-type]

    assert shop.kinds() == ["customer.created"]


@pytest.mark.parametrize("after_work", [False, True])
def test_a_cut_connection_is_an_error_of_the_connection(
    simulator: Simulator, client: StripeClient, shop: Shop, *, after_work: bool
) -> None:
    simulator.put_faults(
        plan(ResponseFaultKind.CUT, method="POST", times=1, after_work=after_work)
    )

    with pytest.raises(APIConnectionError):
        client.v1.customers.create({"name": "x"})

    assert shop.kinds() == (["customer.created"] if after_work else [])


def test_an_answer_that_does_not_come_times_out(simulator: Simulator) -> None:
    simulator.put_faults(plan(ResponseFaultKind.HANG, seconds=30, times=1))
    impatient = StripeClient(
        API_KEY,
        base_addresses={"api": simulator.url},
        http_client=RequestsClient(timeout=0.2),
        max_network_retries=0,
    )

    with pytest.raises(APIConnectionError, match="Read timed out"):
        impatient.v1.customers.list()


def test_the_librarys_own_retry_gets_through_a_single_error(simulator: Simulator) -> None:
    simulator.put_faults(plan(ResponseFaultKind.SERVER_ERROR, times=1))
    patient = StripeClient(API_KEY, base_addresses={"api": simulator.url}, max_network_retries=2)

    customer = patient.v1.customers.create({"name": "x"})

    assert patient.v1.customers.list().data == [customer]
    assert simulator.faults_struck() == [1]


def test_a_fault_strikes_only_the_paths_and_methods_it_names(
    simulator: Simulator, client: StripeClient
) -> None:
    simulator.put_faults(plan(ResponseFaultKind.SERVER_ERROR, method="GET", path="/v1/events*"))

    client.v1.customers.create({})
    client.v1.customers.list()
    with pytest.raises(APIError):
        client.v1.events.list()


def test_the_same_plan_strikes_the_same_requests(simulator: Simulator) -> None:
    def struck(seed: int) -> list[int]:
        fault = ResponseFault(kind=ResponseFaultKind.SERVER_ERROR, rate=0.4)
        simulator.put_faults(FaultPlan(seed=seed, responses=(fault,)))
        headers = {"Authorization": f"Bearer {API_KEY}"}
        with httpx.Client(base_url=simulator.url, headers=headers, trust_env=False) as http:
            return [http.get("/v1/customers").status_code for _ in range(30)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert set(struck(1)) == {200, 500}


def test_a_plan_with_a_word_it_does_not_know_is_refused(http: httpx.Client) -> None:
    answer = http.post("/_simulator/faults", json={"webhooks": {"lost": 1}})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "webhooks.lost"


def test_a_control_endpoint_that_does_not_exist_is_not_found(http: httpx.Client) -> None:
    assert http.post("/_simulator/nothing").status_code == 404


def test_the_simulator_tells_what_it_holds(
    simulator: Simulator, client: StripeClient, http: httpx.Client
) -> None:
    client.v1.customers.create({})
    simulator.settle()

    shown = http.get("/_simulator").json()

    assert shown["objects"]["customer"] == 1
    assert shown["webhooks"]["delivered"] == 1
