"""The backfill's speed: objects from a simulated Stripe to the inbox, with and without a limit."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from confluent_kafka import Consumer, KafkaError, TopicPartition

from bench.figures import Figure
from tests.end_to_end.services import Service
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace

KEY = "sk_test_bench"
OBJECTS = 20_000
YEAR_SECONDS = 365 * 24 * 3_600
PARENTS = 500
"""Each is a request for its tax ids: about twenty seconds at the limit."""
PER_SECOND = 25
LIVE_PER_SECOND = 100
MIX = {
    "tax_id": "customer",
    "product_feature": "product",
    "person": "account",
    "setup_attempt": "setup_intent",
}
"""Type -> whose list it is in; the four endpoints together are the account's limit."""
MAXRSS_PER_MEBIBYTE = 1_048_576 if sys.platform == "darwin" else 1_024
MAKE_SECONDS_MAX = 300.0
ANSWER_SECONDS_MAX = 30.0
NO_LIMIT = {
    "STRIPE_REQUESTS_PER_SECOND_MAX": "1000000",
    "STRIPE_ENDPOINT_REQUESTS_PER_SECOND_MAX": "1000000",
}


def run(infrastructure: Infrastructure) -> list[Figure]:
    """Without a limit beside a loop that only reads pages; then how much of a limit is used."""
    return [_without_limit(infrastructure), _with_limit(infrastructure), _mix(infrastructure)]


def _without_limit(infrastructure: Infrastructure) -> Figure:
    with tempfile.TemporaryDirectory() as folder, fresh_namespace(infrastructure) as namespace:
        stripe = _Stripe(Path(folder))
        try:
            stripe.make("customer", OBJECTS, over_seconds=YEAR_SECONDS)
            bare = stripe.read_pages("/v1/customers")
            used = _backfill(infrastructure, namespace, stripe.url, "customer", settings=NO_LIMIT)
            seconds = _arrival_seconds(infrastructure, namespace)
        finally:
            stripe.close()
    return Figure(
        name="backfill",
        per_second=OBJECTS / seconds,
        ratio=OBJECTS / seconds / bare,
        details={
            "per_cpu_second": round(OBJECTS / used.cpu_seconds),
            "bare_per_second": round(bare),
            "memory_mebibytes": used.memory_mebibytes,
        },
    )


def _with_limit(infrastructure: Infrastructure) -> Figure:
    with tempfile.TemporaryDirectory() as folder, fresh_namespace(infrastructure) as namespace:
        stripe = _Stripe(Path(folder), SIMULATOR_REQUESTS_PER_SECOND=str(PER_SECOND))
        try:
            stripe.make("customer", PARENTS)
            used = _backfill(infrastructure, namespace, stripe.url, "tax_id", settings={})
            limits = stripe.control("GET", "/limits")
        finally:
            stripe.close()
    return _limited("backfill_with_limit", limits, used, allowed=PER_SECOND)


def _mix(infrastructure: Infrastructure) -> Figure:
    """Children of four types, each at its own endpoint's limit, of unlike many parents."""
    settings = {
        "SIMULATOR_REQUESTS_PER_SECOND": str(LIVE_PER_SECOND),
        "SIMULATOR_REQUESTS_PER_SECOND_PER_ENDPOINT": str(PER_SECOND),
    }
    with tempfile.TemporaryDirectory() as folder, fresh_namespace(infrastructure) as namespace:
        stripe = _Stripe(Path(folder), **settings)
        try:
            for parent in MIX.values():
                stripe.make(parent, PARENTS)
            used = _backfill(
                infrastructure,
                namespace,
                stripe.url,
                *MIX,
                settings={"STRIPE_REQUESTS_PER_SECOND_MAX": str(LIVE_PER_SECOND)},
            )
            limits = stripe.control("GET", "/limits")
        finally:
            stripe.close()
    return _limited("backfill_mix", limits, used, allowed=LIVE_PER_SECOND)


def _limited(name: str, limits: Mapping[str, Any], used: "_Used", *, allowed: int) -> Figure:
    by_second: dict[int, int] = {}
    for one in limits["answered"]:
        by_second[one["second"]] = by_second.get(one["second"], 0) + one["count"]
    # The first and the last second are not whole.
    whole = [by_second.get(second, 0) for second in range(min(by_second) + 1, max(by_second))]
    per_second = sum(whole) / len(whole)
    return Figure(
        name=name,
        per_second=per_second,
        ratio=per_second / allowed,
        details={
            "allowed_per_second": allowed,
            "fullest_second": max(by_second.values()),
            "refused": int(limits["refused"]),
            "memory_mebibytes": used.memory_mebibytes,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Used:
    """What a run took."""

    cpu_seconds: float
    memory_mebibytes: int


class _Stripe:
    """A simulated Stripe in a process of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        environment = {"SIMULATOR_PORT": "0", **settings}
        self._service = Service("simulator", environment=environment, folder=folder, name="stripe")
        self._service.start()
        self.port = int(self._service.said("port"))
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._service.close()

    def make(self, name: str, count: int, *, over_seconds: int = 0) -> None:
        asked = {"object": name, "count": count, "events": False, "over_seconds": over_seconds}
        self.control("POST", "/objects", {**asked, "created": int(time.time()) - over_seconds - 1})

    def control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = httpx.request(
            method, f"{self.url}/_simulator{path}", json=body, timeout=MAKE_SECONDS_MAX
        )
        answer.raise_for_status()
        return answer.json()

    def read_pages(self, path: str) -> float:
        """Objects a second of a loop that asks for one page after the other and stores nothing."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS_MAX)
        parameters, seen, started = {"limit": "100"}, 0, time.perf_counter()
        while True:
            line.request(
                "GET",
                f"{path}?{urlencode(parameters)}",
                headers={"Authorization": f"Bearer {KEY}"},
            )
            page = _PAGE.decode(line.getresponse().read())
            seen += len(page.data)
            if not page.has_more:
                return seen / (time.perf_counter() - started)
            parameters["starting_after"] = page.data[-1].id


class _Object(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    data: list[_Object]
    has_more: bool


_PAGE = msgspec.json.Decoder(_Page)


def _backfill(
    infrastructure: Infrastructure,
    namespace: str,
    stripe_url: str,
    *objects: str,
    settings: Mapping[str, str],
) -> _Used:
    """Run the command to its end."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": infrastructure.kafka,
        "KAFKA_NAMESPACE": namespace,
        "STRIPE_API_KEY": KEY,
        "STRIPE_API_BASE": stripe_url,
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "stripeline", "producer", "backfill", *objects],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "the backfill did not end well"
    return _Used(
        cpu_seconds=used.ru_utime + used.ru_stime,
        memory_mebibytes=used.ru_maxrss // MAXRSS_PER_MEBIBYTE,
    )


def _arrival_seconds(infrastructure: Infrastructure, namespace: str) -> float:
    """From the first record's arrival in the inbox to the last one's, by the broker's clock."""
    topic = f"{namespace}-inbox"
    consumer = Consumer(
        {
            "bootstrap.servers": infrastructure.kafka,
            "group.id": f"{namespace}-bench",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, timeout=ANSWER_SECONDS_MAX).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    arrived: list[int] = []
    ended = 0
    while ended < len(partitions):
        for message in consumer.consume(10_000, 1.0):
            error = message.error()
            if error is None:
                arrived.append(message.timestamp()[1])
            else:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended += 1
    consumer.close()
    assert len(arrived) == OBJECTS, len(arrived)
    return (max(arrived) - min(arrived)) / 1_000
