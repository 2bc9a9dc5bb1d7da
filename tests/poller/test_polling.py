"""With every webhook lost, Stripe's list of events brings all changes to their rows."""

import pytest

from runtime.errors import ExitCode
from simulator.endpoints import Endpoint
from simulator.faults import FaultPlan, ResponseFault, ResponseFaultKind
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX
from tests.end_to_end.services import eventually, running
from tests.end_to_end.stripe_events import WEBHOOK_SECRET
from tests.end_to_end.topic_reader import assert_strictly_increasing
from tests.poller.conftest import Polled
from tests.simulator.shop import Shop

pytestmark = pytest.mark.stack


def _await_rows(polled: Polled, query: str, expected: list[dict[str, object]]) -> None:
    eventually(
        lambda: polled.installation.rows(query) == expected,
        seconds_max=ARRIVE_SECONDS_MAX,
        what=f"the rows are {expected}",
        more=lambda: str(polled.installation.rows(query)),
    )


def test_a_webhook_lost_for_good_is_healed_by_the_poller(polled: Polled) -> None:
    shop = Shop(polled.client)
    customer = shop.customer(name="Ada")
    polled.client.v1.customers.update(customer.id, {"name": "Ada Lovelace"})

    query = f"select name from stripe.customer where id = '{customer.id}'"
    _await_rows(polled, query, [{"name": "Ada Lovelace"}])

    records = polled.installation.published("customer", {customer.id})
    assert [record.value["name"] for record in records] == ["Ada", "Ada Lovelace"]
    assert {record.value["_source"] for record in records} == {"poll"}


def test_an_event_that_stripe_lists_late_is_not_missed(polled: Polled) -> None:
    polled.simulator.put_faults(FaultPlan(events_lag_seconds=2))
    late = polled.client.v1.customers.create({"name": "late"}).id
    _await_rows(
        polled, f"select name from stripe.customer where id = '{late}'", [{"name": "late"}]
    )
    polled.simulator.put_faults(FaultPlan())


def test_it_waits_while_stripe_refuses_and_goes_on_by_itself(polled: Polled) -> None:
    faults = [
        ResponseFault(kind=ResponseFaultKind.RATE_LIMITED, path="/v1/events", times=2),
        ResponseFault(kind=ResponseFaultKind.SERVER_ERROR, path="/v1/events"),
    ]
    polled.simulator.put_faults(FaultPlan(responses=tuple(faults)))
    made = polled.client.v1.customers.create({"name": "meanwhile"}).id
    polled.poller.await_unready(seconds_max=ARRIVE_SECONDS_MAX)

    polled.simulator.put_faults(FaultPlan())
    polled.poller.await_ready()

    _await_rows(
        polled, f"select name from stripe.customer where id = '{made}'", [{"name": "meanwhile"}]
    )


def test_a_key_that_may_not_read_events_is_a_wrong_setting(polled: Polled) -> None:
    poller = polled.installation.service(
        "producer", "poll", name="refused", STRIPE_API_KEY="sk_live_other"
    )
    poller.launch()

    assert poller.wait() == ExitCode.WRONG_USAGE
    assert "STRIPE_API_KEY: Stripe refuses to show events" in poller.log()


def test_two_accounts_with_the_same_coupon_id_do_not_collide(polled: Polled) -> None:
    def rows() -> list[dict[str, object]]:
        return polled.installation.rows(
            "select _account_id, id, percent_off, metadata ->> 'step' as step "
            "from stripe_connect.coupon order by percent_off"
        )

    coupons = polled.client.v1.coupons
    for percent, account in zip((10, 20), polled.accounts, strict=True):
        coupons.create(
            {"id": "SPRING", "percent_off": percent, "duration": "once"},
            {"stripe_account": account},
        )
    expected = [
        {"_account_id": account, "id": "SPRING", "percent_off": percent, "step": None}
        for percent, account in zip((10, 20), polled.accounts, strict=True)
    ]
    eventually(
        lambda: rows() == expected,
        seconds_max=ARRIVE_SECONDS_MAX,
        what="both coupons came by poll",
        more=lambda: str(rows()),
    )

    webhook = polled.installation.webhook
    polled.poller.pause()
    with running(webhook):
        polled.simulator.put_endpoint(
            Endpoint(
                url=f"http://127.0.0.1:{webhook.said('port')}/webhooks/stripe",
                secrets=(WEBHOOK_SECRET,),
                from_self=False,
                from_accounts=True,
            )
        )
        for account in polled.accounts:
            coupons.update("SPRING", {"metadata": {"step": account}}, {"stripe_account": account})
        eventually(
            lambda: [row["step"] for row in rows()] == list(polled.accounts),
            seconds_max=ARRIVE_SECONDS_MAX,
            what="both changes came by webhook",
            more=lambda: str(rows()),
        )
        polled.simulator.settle()
    polled.poller.resume()


def test_a_poller_killed_anywhere_loses_and_repeats_nothing_in_the_topics(
    polled: Polled,
) -> None:
    customers = []
    for number in range(3):
        customers.append(polled.client.v1.customers.create({"name": "new"}).id)
        polled.poller.kill()
        polled.client.v1.customers.update(customers[-1], {"name": f"number {number}"})
        polled.poller.launch()
        if number % 2:
            polled.poller.await_ready()
    polled.poller.await_ready()

    listed = ", ".join(f"'{customer}'" for customer in customers)
    query = f"select name from stripe.customer where id in ({listed}) order by name"
    _await_rows(polled, query, [{"name": f"number {number}"} for number in range(3)])

    records = polled.installation.published("customer", customers)
    assert len(records) == 6
    assert_strictly_increasing(records)
