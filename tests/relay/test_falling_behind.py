"""Relays that cannot keep up for a while: they say so, and nothing stays behind."""

import base64
import random
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.services import Service, eventually, running
from tests.infrastructure import Infrastructure
from tests.proxy import Line, Proxy, kafka_proxy
from tests.relay.inbox_writer import Sent, event
from tests.relay.installation import SETTLE_SECONDS_MAX, Installation, await_metric
from tests.relay.stripe_server import StripeServer

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

LAG_RECORDS = "stripeline_relay_lag_records"
LAG_SECONDS = "stripeline_relay_lag_seconds"
FILLER_BYTES = 930_000
SLOW_SECONDS_MAX = 200.0
TIES = 37
"""Their bytes are more than the relay keeps waiting."""


def tie(number: int) -> tuple[Sent, Sent]:
    """Two events of one second of which neither tells which is later; the second is large."""
    object_id, filler = f"sub_{number}", "x" * FILLER_BYTES
    return (
        event(f"evt_{number}_1", object_id, second=1, status="a", previous={"status": "b"}),
        event(
            f"evt_{number}_2",
            object_id,
            second=1,
            previous={"status": "a"},
            status="b",
            metadata={"filler": filler},
        ),
    )


def taken_over(relay: Service, *, times: int) -> None:
    eventually(
        lambda: relay.log().count("partitions taken over") >= times,
        seconds_max=SETTLE_SECONDS_MAX,
        what=f"{relay.name} takes partitions over {times} times",
    )


def interrupted(relay: Service, *, times: int) -> bool:
    return relay.log().count("relay interrupted") >= times


def test_a_relay_that_reads_no_more_reads_again_when_another_one_joins(
    installation: Installation, stripe_server: StripeServer
) -> None:
    for number in range(TIES):
        body = {"id": f"sub_{number}", "object": "subscription", "status": "fetched"}
        stripe_server.bodies[f"/v1/subscriptions/sub_{number}"] = body
    # Stripe's clock stands still: no tie is settled.
    stripe_server.second = 1
    first, second = (installation.relay(name, **stripe_server.settings) for name in ("a", "b"))
    with running(first):
        installation.inbox.send_all(one for number in range(TIES) for one in tie(number))
        await_metric(first, "stripeline_relay_consumed_total", 2 * TIES)
        installation.inbox.send_all(
            event(f"evt_later_{number}", f"sub_later_{number}", second=1) for number in range(20)
        )
        # Nothing more is read, and that is shown.
        await_metric(first, LAG_RECORDS, 20)
        with running(second):
            taken_over(first, times=2)
            taken_over(second, times=1)
            stripe_server.second = 9
            installation.await_relayed()
        last = installation.last()
    assert len(last) == TIES + 20
    assert {last[f"sub_{number}"]["status"] for number in range(TIES)} == {"fetched"}


def test_while_the_registry_is_away_the_relay_is_never_ready_and_shows_its_lag(
    installation: Installation, stack: Infrastructure
) -> None:
    registry = urlsplit(stack.registry)
    assert registry.hostname is not None
    assert registry.port is not None
    with Proxy(host=registry.hostname, port=registry.port) as proxy:
        away = registry._replace(netloc=proxy.address).geturl()
        with running(relay := installation.relay(SCHEMA_REGISTRY_URL=away)):
            proxy.set(Line.CUT)
            installation.inbox.send(event("evt_1", "sub_1", second=1, status="a"))
            relay.await_unready(seconds_max=SETTLE_SECONDS_MAX)
            while not interrupted(relay, times=4):
                assert not relay.is_ready()
            installation.inbox.send(*(event(f"evt_{n}", f"sub_{n}", second=1) for n in range(9)))
            await_metric(relay, LAG_RECORDS, 10)
            assert relay.metric(LAG_SECONDS) > 0
            proxy.set(Line.OPEN)
            relay.await_ready()
            installation.await_relayed()
            eventually(
                lambda: relay.metric(LAG_RECORDS) == relay.metric(LAG_SECONDS) == 0,
                seconds_max=SETTLE_SECONDS_MAX,
                what="the relay shows that nothing waits",
            )
    assert len(installation.last()) == 9


def test_a_batch_that_is_too_much_for_the_line_is_cut_until_it_passes(
    installation: Installation, stack: Infrastructure
) -> None:
    noise = random.Random(7)
    told = [
        event(
            f"evt_{number}",
            f"sub_{number}",
            second=1,
            metadata={"noise": base64.b64encode(noise.randbytes(45_000)).decode()},
        )
        for number in range(150)
    ]
    with kafka_proxy(stack.kafka) as proxy:
        relay = installation.relay(
            KAFKA_BOOTSTRAP_SERVERS=proxy.address, RELAY_LINGER_MILLISECONDS="1000"
        )
        with running(relay):
            # 64 KiB in 50 ms: all of it takes longer than a commit may.
            proxy.set(Line.OPEN, delay_seconds=0.05)
            installation.inbox.send_all(told)
            installation.await_relayed(seconds_max=SLOW_SECONDS_MAX)
            assert interrupted(relay, times=1)
    assert len(installation.read()) == len(told)
