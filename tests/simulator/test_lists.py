"""Lists: order, cursors, limits, ranges and filters."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import Customer, InvalidRequestError, StripeClient

from simulator.listing import page_of
from simulator.server import Simulator
from simulator.simulation import Options
from tests.simulator.conftest import client_of
from tests.simulator.shop import Shop


@pytest.fixture
def customers(client: StripeClient) -> list[Customer]:
    """25 customers, newest first."""
    made = [client.v1.customers.create({"name": str(number)}) for number in range(25)]
    return made[::-1]


def ids(found: Iterator[Customer] | list[Customer]) -> list[str]:
    return [customer.id for customer in found]


def test_a_list_shows_the_ten_newest_by_default(
    client: StripeClient, customers: list[Customer]
) -> None:
    listed = client.v1.customers.list()

    assert ids(listed.data) == ids(customers[:10])
    assert listed.has_more
    assert listed.to_dict()["url"] == "/v1/customers"


def test_pages_of_any_size_show_everything_once(
    client: StripeClient, customers: list[Customer]
) -> None:
    for limit in (1, 7, 25, 100):
        pages = client.v1.customers.list({"limit": limit})
        assert ids(pages.auto_paging_iter()) == ids(customers)


def test_pages_backwards_begin_at_the_cursor(
    client: StripeClient, customers: list[Customer]
) -> None:
    page = client.v1.customers.list({"limit": 5, "ending_before": customers[12].id})

    assert ids(page.data) == ids(customers[7:12])
    assert page.has_more
    assert ids(page.auto_paging_iter()) == ids(customers[:12][::-1])


def test_a_page_is_not_moved_by_what_was_made_since(
    client: StripeClient, customers: list[Customer]
) -> None:
    first = client.v1.customers.list({"limit": 10})
    client.v1.customers.create({"name": "newer"})
    client.v1.customers.delete(first.data[0].id)

    second = client.v1.customers.list({"limit": 10, "starting_after": first.data[-1].id})

    assert ids(second.data) == ids(customers[10:20])


@pytest.mark.parametrize("limit", [0, 101, -1])
def test_a_limit_out_of_range_is_refused(client: StripeClient, limit: int) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.v1.customers.list({"limit": limit})

    assert refused.value.param == "limit"


def test_a_cursor_that_does_not_exist_is_refused(client: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.v1.customers.list({"starting_after": "cus_never"})

    assert (refused.value.http_status, refused.value.param) == (400, "starting_after")


def test_two_cursors_at_once_are_refused(client: StripeClient, customers: list[Customer]) -> None:
    cursor = customers[0].id
    with pytest.raises(InvalidRequestError, match="both"):
        client.v1.customers.list({"starting_after": cursor, "ending_before": cursor})


def test_an_unknown_filter_is_refused(client: StripeClient) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        client.v1.customers.list({"colour": "red"})  # type: ignore[arg-type]

    assert refused.value.code == "parameter_unknown"


def test_created_ranges_include_and_exclude_their_bounds(
    simulator: Simulator, client: StripeClient
) -> None:
    simulator.stop_clock()
    made = []
    for _ in range(5):
        made.append(client.v1.customers.create({}))
        simulator.advance(seconds=10)
    times = [customer.created for customer in made]

    def found(**asked: int) -> list[int]:
        return [customer.created for customer in client.v1.customers.list({"created": asked}).data]  # type: ignore[arg-type]

    assert found(gte=times[1], lt=times[3]) == [times[2], times[1]]
    assert found(gt=times[1], lte=times[3]) == [times[3], times[2]]
    assert [c.id for c in client.v1.customers.list({"created": times[2]}).data] == [made[2].id]


def test_a_filter_and_a_cursor_work_together(client: StripeClient, shop: Shop) -> None:
    customer, other = shop.customer(), shop.customer()
    mine = [shop.subscription(customer).id for _ in range(4)]
    shop.subscription(other)

    pages = client.v1.subscriptions.list({"customer": customer.id, "limit": 2})
    before = client.v1.subscriptions.list({"customer": customer.id, "ending_before": mine[1]})

    assert [found.id for found in pages.auto_paging_iter()] == mine[::-1]
    assert [found.id for found in before.data] == mine[:1:-1]


@given(count=st.integers(0, 30), limit=st.integers(1, 12), data=st.data())
@settings(max_examples=60, deadline=None)
def test_walking_a_list_either_way_meets_every_element_once(
    count: int, limit: int, data: st.DataObject
) -> None:
    bodies = [{"id": f"il_{number}"} for number in range(count)]
    backwards = data.draw(st.booleans())
    cursor = "ending_before" if backwards else "starting_after"
    walked: list[str] = []
    asked: dict[str, object] = {"limit": limit}
    if backwards and bodies:
        # Backwards from the last one, which is not part of what comes before it.
        walked, asked[cursor] = [bodies[-1]["id"]], bodies[-1]["id"]

    while True:
        page = page_of(bodies, dict(asked), name="line_item", url="/v1/x")
        found = [body["id"] for body in page["data"]]
        walked = [*found, *walked] if backwards else [*walked, *found]
        if not page["has_more"]:
            break
        asked[cursor] = found[0] if backwards else found[-1]

    assert walked == [body["id"] for body in bodies]


def test_ids_do_not_sort_by_time_and_repeat_for_a_seed() -> None:
    made: list[list[str]] = []
    for seed in (1, 1, 2):
        with Simulator(Options(seed=seed)) as simulator:
            client = client_of(simulator)
            made.append([client.v1.customers.create({}).id for _ in range(12)])

    assert made[0] == made[1]
    assert made[0] != made[2]
    assert sorted(made[0]) != made[0]
    assert sorted(made[0], reverse=True) != made[0]
