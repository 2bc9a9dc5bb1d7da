"""What webhooks lose, `producer run` brings in by its poller and reconcile, of all accounts."""

from collections.abc import Iterator

import pytest

from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.installation import ARRIVE_SECONDS_MAX, Installation
from tests.end_to_end.services import eventually, running
from tests.infrastructure import Infrastructure
from tests.poller.conftest import installed
from tests.simulator.conftest import client_of

pytestmark = pytest.mark.stack


class Healing:
    """An installation whose producer is one `producer run --connected`; no webhook is sent."""

    def __init__(self, installation: Installation, simulator: Simulator) -> None:
        self.installation = installation
        self.simulator = simulator
        self.client = client_of(simulator)
        self.service = installation.service(
            "producer",
            "run",
            "--connected",
            "--reconcile-every",
            "1s",
            name="run",
            OBJECTS="customer,coupon",
            WEBHOOK_PORT="0",
            POLL_INTERVAL_SECONDS="0.2",
            RECONCILE_SETTLE_SECONDS="0",
        )

    def await_rows(self, query: str, expected: list[dict[str, object]]) -> None:
        eventually(
            lambda: self.installation.rows(query) == expected,
            seconds_max=ARRIVE_SECONDS_MAX,
            what=f"{query} gives {expected}",
            more=lambda: f"{self.installation.rows(query)}\n{self.service.log()}",
        )


@pytest.fixture(scope="module")
def healing(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healing]:
    folder = tmp_path_factory.mktemp("healing")
    with installed(stack, folder=folder, options=Options()) as (installation, simulator):
        made = Healing(installation, simulator)
        with running(made.service, installation.sink):
            yield made


def test_a_change_whose_webhook_was_lost_comes_by_poll(healing: Healing) -> None:
    customer = healing.client.v1.customers.create({"name": "Ada"}).id
    query = f"select name from stripe.customer where id = '{customer}'"

    healing.await_rows(query, [{"name": "Ada"}])


def test_a_change_without_an_event_comes_by_the_scheduled_reconcile(healing: Healing) -> None:
    customer = healing.client.v1.customers.create({"name": "before"}).id
    query = f"select name, _source from stripe.customer where id = '{customer}'"
    healing.await_rows(query.replace(", _source", ""), [{"name": "before"}])

    healing.simulator.change("customer", customer, {"name": "in silence"}, events=False)

    healing.await_rows(query, [{"name": "in silence", "_source": "backfill"}])


def test_connected_accounts_are_polled_and_reconciled(healing: Healing) -> None:
    # It was connected before the accounts were listed anew, or a restart lists them.
    account = healing.client.v1.accounts.create().id
    healing.service.stop()
    healing.service.start()
    healing.client.v1.coupons.create(
        {"id": "SPRING", "percent_off": 10.0, "duration": "once"}, {"stripe_account": account}
    )
    query = f"select percent_off from stripe_connect.coupon where _account_id = '{account}'"
    healing.await_rows(query, [{"percent_off": 10.0}])

    healing.simulator.change(
        "coupon", "SPRING", {"percent_off": 20.0}, account=account, events=False
    )

    healing.await_rows(query, [{"percent_off": 20.0}])
