"""What holds for every request: keys, headers, forms, errors, expansion, idempotency."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import (
    AuthenticationError,
    IdempotencyError,
    InvalidRequestError,
    StripeClient,
    api_version,
)

from simulator.errors import Refused
from simulator.events import API_VERSION
from simulator.form import decode
from simulator.server import Simulator
from tests.simulator.conftest import START_SECONDS
from tests.simulator.shop import DAY_SECONDS, Shop


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic ???", "Bearer pk_test_x"])
def test_a_request_without_a_secret_key_is_refused(
    simulator: Simulator, authorization: str
) -> None:
    headers = {"Authorization": authorization}

    answer = httpx.get(f"{simulator.url}/v1/customers", headers=headers, trust_env=False)

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_key_of_the_other_mode_is_refused(simulator: Simulator) -> None:
    client = StripeClient("sk_live_x", base_addresses={"api": simulator.url})

    with pytest.raises(AuthenticationError, match="Invalid API Key"):
        client.v1.customers.list()


def test_a_key_can_be_the_user_of_basic_authentication(simulator: Simulator) -> None:
    answer = httpx.get(f"{simulator.url}/v1/customers", auth=("sk_test_x", ""), trust_env=False)

    assert answer.status_code == 200


def test_an_answer_has_stripes_headers_and_its_body_is_indented(
    simulator: Simulator, http: httpx.Client
) -> None:
    simulator.stop_clock()
    simulator.advance_to(START_SECONDS + DAY_SECONDS)

    answer = http.post("/v1/customers", data={"name": "x"}, headers={"Idempotency-Key": "k"})

    assert answer.headers["Request-Id"].startswith("req_")
    assert answer.headers["Stripe-Version"] == API_VERSION
    assert answer.headers["Idempotency-Key"] == "k"
    said = parsedate_to_datetime(answer.headers["Date"])
    assert said == datetime.fromtimestamp(START_SECONDS + DAY_SECONDS, tz=UTC)
    assert answer.text.startswith('{\n  "id": "cus_')


def test_the_simulated_version_is_the_librarys() -> None:
    assert api_version == API_VERSION


def test_a_request_that_is_too_large_is_refused(http: httpx.Client) -> None:
    answer = http.post("/v1/customers", content=b"name=" + b"x" * 1_100_000)

    assert answer.status_code == 413


def test_an_unknown_url_is_not_found(http: httpx.Client) -> None:
    answer = http.get("/v1/unicorns")

    assert answer.status_code == 404
    assert "Unrecognized request URL (GET: /v1/unicorns)" in answer.json()["error"]["message"]


def test_an_unknown_parameter_is_named(http: httpx.Client) -> None:
    for form, name in (
        ({"colour": "red"}, "colour"),
        ({"address[planet]": "Mars"}, "address[planet]"),
    ):
        error = http.post("/v1/customers", data=form).json()["error"]
        assert (error["code"], error["param"]) == ("parameter_unknown", name)


def test_a_missing_parameter_is_named(http: httpx.Client) -> None:
    for path, form, name in (
        ("/v1/products", {}, "name"),
        ("/v1/prices", {"currency": "usd", "unit_amount": "5"}, "product"),
        ("/v1/subscriptions", {"items[0][price]": "x"}, "customer"),
    ):
        answer = http.post(path, data=form)
        error = answer.json()["error"]
        assert answer.status_code == 400
        assert (error["code"], error["param"]) == ("parameter_missing", name)


def test_an_object_in_a_parameter_that_does_not_exist_is_400(
    client: StripeClient, shop: Shop
) -> None:
    price = shop.price()

    with pytest.raises(InvalidRequestError) as refused:
        client.v1.subscriptions.create({"customer": "cus_no", "items": [{"price": price.id}]})

    assert refused.value.http_status == 400
    assert (refused.value.code, refused.value.param) == ("resource_missing", "customer")


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ({"balance": "much"}, "balance"),
        ({"tax_exempt": "maybe"}, "tax_exempt"),
        ({"address": "Oslo"}, "address"),
        ({"preferred_locales": "nb"}, "preferred_locales"),
        ({"name[first]": "x"}, "name"),
        ({"metadata": "x"}, "metadata"),
        ({f"metadata[{'k' * 41}]": "x"}, "metadata"),
        ({"metadata[k]": "v" * 501}, "metadata"),
        ({f"metadata[{number}]": "v" for number in range(51)}, "metadata"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_name(
    http: httpx.Client, form: dict[str, str], name: str
) -> None:
    answer = http.post("/v1/customers", data=form)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == name


def test_a_refused_request_changes_nothing(client: StripeClient, shop: Shop) -> None:
    customer, price = shop.customer(), shop.price()
    before = shop.kinds()

    with pytest.raises(InvalidRequestError):
        client.v1.subscriptions.create(
            {"customer": customer.id, "items": [{"price": price.id}, {"price": "price_no"}]}
        )

    assert shop.kinds() == before
    assert client.v1.customers.retrieve(customer.id).currency is None


def test_the_same_key_and_body_get_the_first_answer_again(
    client: StripeClient, shop: Shop
) -> None:
    options = {"idempotency_key": "once"}

    first = client.v1.customers.create({"name": "Once"}, options)  # type: ignore[arg-type]
    again = client.v1.customers.create({"name": "Once"}, options)  # type: ignore[arg-type]

    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert shop.kinds() == ["customer.created"]
    (event,) = shop.events()
    assert event.request is not None
    assert event.request.idempotency_key == "once"


def test_the_same_key_with_another_body_or_path_is_refused(client: StripeClient) -> None:
    options = {"idempotency_key": "once"}
    client.v1.customers.create({"name": "Once"}, options)  # type: ignore[arg-type]

    with pytest.raises(IdempotencyError) as refused:
        client.v1.customers.create({"name": "Other"}, options)  # type: ignore[arg-type]
    with pytest.raises(IdempotencyError):
        client.v1.products.create({"name": "Once"}, options)  # type: ignore[arg-type]

    assert refused.value.http_status == 400


def test_a_key_is_forgotten_after_a_day(simulator: Simulator, client: StripeClient) -> None:
    options = {"idempotency_key": "daily"}
    first = client.v1.customers.create({"name": "x"}, options)  # type: ignore[arg-type]

    simulator.advance(seconds=DAY_SECONDS)

    assert client.v1.customers.create({"name": "x"}, options).id != first.id  # type: ignore[arg-type]


def test_a_request_that_was_refused_does_not_use_up_its_key(client: StripeClient) -> None:
    options = {"idempotency_key": "retry"}
    with pytest.raises(InvalidRequestError):
        client.v1.products.create({"name": "x", "url": {"a": "b"}}, options)  # type: ignore[arg-type,typeddict-item]

    made = client.v1.products.create({"name": "x"}, options)  # type: ignore[arg-type]

    assert made.name == "x"


def test_expansion_goes_through_lists_and_other_objects(client: StripeClient, shop: Shop) -> None:
    subscription = shop.subscription(
        expand=["customer", "items.data.price.product", "latest_invoice.customer"]
    ).to_dict()

    assert subscription["customer"]["object"] == "customer"
    assert subscription["items"]["data"][0]["price"]["product"]["name"] == "Basic"
    assert subscription["latest_invoice"]["customer"]["id"] == subscription["customer"]["id"]
    plain = client.v1.subscriptions.retrieve(subscription["id"]).to_dict()
    assert plain["customer"] == subscription["customer"]["id"]


def test_expansion_of_a_list_begins_with_data(client: StripeClient, shop: Shop) -> None:
    shop.subscription()

    listed = client.v1.subscriptions.list({"expand": ["data.customer"]}).to_dict()

    assert listed["data"][0]["customer"]["object"] == "customer"


def test_a_field_that_is_only_sent_when_expanded(client: StripeClient, shop: Shop) -> None:
    customer = shop.customer()
    subscription = shop.subscription(customer)

    plain = client.v1.customers.retrieve(customer.id).to_dict()
    full = client.v1.customers.retrieve(customer.id, {"expand": ["subscriptions"]}).to_dict()

    assert "subscriptions" not in plain
    assert [found["id"] for found in full["subscriptions"]["data"]] == [subscription.id]


@pytest.mark.parametrize("path", ["name", "nothing", "a.b.c.d.e"])
def test_what_cannot_be_expanded_is_refused(client: StripeClient, path: str) -> None:
    customer = client.v1.customers.create({"name": "x"})

    with pytest.raises(InvalidRequestError, match="expand"):
        client.v1.customers.retrieve(customer.id, {"expand": [path]})


def test_a_form_becomes_a_tree() -> None:
    form = "items[0][price]=p&items[1][price]=q&metadata[a b]=&expand[]=x&expand[]=y&name=%C3%A6"

    assert decode(form) == {
        "items": {"0": {"price": "p"}, "1": {"price": "q"}},
        "metadata": {"a b": ""},
        "expand": {"0": "x", "1": "y"},
        "name": "æ",
    }


@pytest.mark.parametrize("form", ["a[=1", "a[b=1", "a]b[=1", "a=1&a[b]=2", "a" + "[b]" * 9])
def test_brackets_that_do_not_fit_are_refused(form: str) -> None:
    with pytest.raises(Refused):
        decode(form)


@settings(deadline=None)
@given(st.text(alphabet="ab[]=&%0", max_size=40))
def test_any_text_is_a_form_or_refused(form: str) -> None:
    try:
        tree = decode(form)
    except Refused:
        return
    assert all(isinstance(name, str) for name in tree)
