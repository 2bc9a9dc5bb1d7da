"""Thin events and event buses: an address and a proof for each, and Stripe's own bytes stored."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import simulator.endpoints as simulated
from schemas.inbox import Envelope, Kind, Source
from simulator.server import Simulator
from simulator.simulation import Options
from tests.end_to_end.services import running
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.producer_webhook.conftest import Running, webhook_service
from tests.producer_webhook.inbox import InboxReader, Stored
from tests.producer_webhook.requests import (
    PATH,
    SECRET,
    Sender,
    encoded,
    event,
    signed,
    thin_event,
)
from tests.simulator.conftest import client_of

pytestmark = pytest.mark.stack

THIN = f"{PATH}/thin"
EVENTBRIDGE = f"{PATH}/eventbridge"
EVENT_GRID = f"{PATH}/event-grid"
THIN_SECRET = "whsec_thin_events"
KEYS = {EVENTBRIDGE: "key-of-the-event-bridge", EVENT_GRID: "key-of-the-event-grid"}
EVENT_GRID_ORIGIN = {"WebHook-Request-Origin": "eventgrid.azure.net"}


@pytest.fixture(scope="module")
def entrances(
    stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A webhook service that has every address, each with a secret of its own."""
    with fresh_namespace(stack) as namespace:
        service = webhook_service(
            stack.kafka,
            namespace,
            tmp_path_factory.mktemp("entrances"),
            STRIPE_API_KEY="sk_test_123",
            STRIPE_THIN_WEBHOOK_SECRET=THIN_SECRET,
            WEBHOOK_EVENTBRIDGE_KEY=KEYS[EVENTBRIDGE],
            WEBHOOK_EVENT_GRID_KEY=KEYS[EVENT_GRID],
        )
        with running(service):
            sender = Sender(int(service.said("port")))
            reader = InboxReader(stack, namespace)
            yield Running(service=service, sender=sender, reader=reader)
            reader.close()
            sender.close()


def wrapped(path: str, event: dict[str, Any]) -> dict[str, Any]:
    """The event as the bus behind that address passes it on."""
    if path == EVENTBRIDGE:
        return {
            "version": "0",
            "id": "3ae0b5ec-9d3b-5a3a-8a3e-7f1f0a2f4c11",
            "detail-type": event["type"],
            "source": "aws.partner/stripe.com/ed_test_61",
            "account": "111122223333",
            "time": "2026-11-22T10:00:00Z",
            "region": "eu-central-1",
            "resources": [],
            "detail": event,
        }
    return {
        "specversion": "1.0",
        "id": event["id"],
        "type": event["type"],
        "source": "/stripe/acct_1/ed_test_61",
        "time": "2026-11-22T10:00:00Z",
        "data": event,
    }


def keyed(path: str, *, content_type: str = "application/json; charset=utf-8") -> dict[str, str]:
    """The headers of a bus that knows the key."""
    return {"Authorization": f"Bearer {KEYS[path]}", "Content-Type": content_type}


def _stored(entrances: Running, event_id: str) -> list[Stored]:
    return [stored for stored in entrances.stored() if json.loads(stored.value)["id"] == event_id]


@pytest.mark.parametrize(("path", "secret"), [(THIN, THIN_SECRET), (PATH, SECRET)])
def test_a_thin_event_is_stored_as_such_under_its_objects_key(
    entrances: Running, path: str, secret: str
) -> None:
    event_id = f"evt_thin_{secret}"
    body = encoded(thin_event(event_id, context="acct_7", snapshot_event="evt_whole"))

    answer = entrances.sender.post(body, signed(body, secret=secret), path=path)

    assert answer.status_code == httpx.codes.OK
    (record,) = _stored(entrances, event_id)
    envelope = Envelope.from_headers(record.headers)
    assert (record.key, record.value) == ("acct_7/cus_1", body)
    assert (envelope.kind, envelope.account_id) == (Kind.THIN_EVENT, "acct_7")
    assert envelope.source is Source.WEBHOOK


def test_a_whole_event_that_comes_to_the_address_of_thin_ones_is_stored_whole(
    entrances: Running,
) -> None:
    body = encoded(event("evt_whole_at_thin"))

    answer = entrances.sender.post(body, signed(body, secret=THIN_SECRET), path=THIN)

    assert answer.status_code == httpx.codes.OK
    (record,) = _stored(entrances, "evt_whole_at_thin")
    assert Envelope.from_headers(record.headers).kind is Kind.EVENT


@pytest.mark.parametrize(("path", "secret"), [(THIN, SECRET), (PATH, THIN_SECRET)])
def test_the_secret_of_one_address_is_none_of_another(
    entrances: Running, path: str, secret: str
) -> None:
    body = encoded(thin_event("evt_crossed"))

    answer = entrances.sender.post(body, signed(body, secret=secret), path=path)

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert _stored(entrances, "evt_crossed") == []


def test_a_thin_event_of_the_other_mode_is_answered_200_and_not_stored(
    entrances: Running,
) -> None:
    body = encoded(thin_event("evt_thin_live", livemode=True))

    answer = entrances.sender.post(body, signed(body, secret=THIN_SECRET), path=THIN)

    assert answer.status_code == httpx.codes.OK
    assert "mode" in answer.text
    assert _stored(entrances, "evt_thin_live") == []


@pytest.mark.parametrize("kind", [Kind.EVENT, Kind.THIN_EVENT])
@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (EVENTBRIDGE, "application/json; charset=utf-8"),
        (EVENT_GRID, "application/cloudevents+json; charset=utf-8"),
    ],
)
def test_an_event_comes_out_of_a_buss_envelope_as_it_went_in(
    entrances: Running, path: str, content_type: str, kind: Kind
) -> None:
    event_id = f"evt_{path.rpartition('/')[2]}_{kind}"
    inside = thin_event(event_id) if kind is Kind.THIN_EVENT else event(event_id)
    body = json.dumps(wrapped(path, inside), indent=1).encode()

    answer = entrances.sender.post(body, keyed(path, content_type=content_type), path=path)

    assert answer.status_code == httpx.codes.OK
    (record,) = _stored(entrances, event_id)
    assert record.key == "cus_1"
    assert record.value in body
    assert json.loads(record.value) == inside
    assert Envelope.from_headers(record.headers).kind is kind


@pytest.mark.parametrize("payload", simulated.Payload)
@pytest.mark.parametrize(
    ("path", "envelope"),
    [
        (EVENTBRIDGE, simulated.Envelope.AMAZON_EVENTBRIDGE),
        (EVENT_GRID, simulated.Envelope.AZURE_EVENT_GRID),
    ],
)
def test_what_a_simulated_bus_passes_on_is_stored(
    entrances: Running, path: str, envelope: simulated.Envelope, payload: simulated.Payload
) -> None:
    endpoint = simulated.Endpoint(
        url=f"http://127.0.0.1:{entrances.service.said('port')}{path}",
        secrets=(KEYS[path],),
        envelope=envelope,
        payload=payload,
    )
    with Simulator(Options(endpoints=(endpoint,))) as simulator:
        made = client_of(simulator).v1.customers.create()
        assert simulator.settle()

    # Each simulator gives the same id: the newest is meant.
    record = [stored for stored in entrances.stored() if stored.key == made.id][-1]
    told = Kind.THIN_EVENT if payload is simulated.Payload.THIN else Kind.EVENT
    assert Envelope.from_headers(record.headers).kind is told


@pytest.mark.parametrize("path", KEYS)
@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", "Basic a2V5", "key-of-the-event-bridge"]
)
def test_nobody_without_the_key_gets_a_word_in(
    entrances: Running, path: str, authorization: str
) -> None:
    body = json.dumps(wrapped(path, event("evt_keyless"))).encode()
    headers = {**signed(body), **({"Authorization": authorization} if authorization else {})}

    answer = entrances.sender.post(body, headers, path=path)

    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert _stored(entrances, "evt_keyless") == []


DEEP = b"[" * 100_000 + b"]" * 100_000


def _in_both_envelopes(inside: bytes) -> bytes:
    return (
        b'{"source": "aws.partner/stripe.com/1", "detail": %s, "specversion": "1.0", "data": %s}'
        % (inside, inside)
    )


@pytest.mark.parametrize("path", KEYS)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (encoded(event("evt_unwrapped")), 400),
        (b'{"specversion": "1.0"}', 400),
        (b'{"specversion": "0.3", "data": {}}', 400),
        (b'{"specversion": "1.0", "data": {"object": "customer", "id": "evt_unwrapped"}}', 400),
        (b'{"source": "aws.partner/other.com/1", "detail": {}}', 400),
        (b'{"source": "aws.partner/stripe.com/1", "detail": [{"object": "event"}]}', 400),
        (b"[]", 400),
        (b"", 400),
        (b'{"specversion": "1.0", "data": \xff}', 400),
        (_in_both_envelopes(b'{"id": "evt_\xff", "object": "event"}'), 400),
        (_in_both_envelopes(b'{"id": "evt_1", "object": "event", "data": %s}' % DEEP), 400),
    ],
)
def test_what_is_no_wrapped_stripe_event_is_refused(
    entrances: Running, path: str, body: bytes, status: int
) -> None:
    assert entrances.sender.post(body, keyed(path), path=path).status_code == status
    assert _stored(entrances, "evt_unwrapped") == []


def test_event_grid_is_told_that_it_may_send(entrances: Running) -> None:
    answer = entrances.sender.ask("OPTIONS", EVENT_GRID, EVENT_GRID_ORIGIN)

    assert answer.status_code == httpx.codes.OK
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"


@pytest.mark.parametrize(
    ("path", "origin", "status"),
    [
        (EVENT_GRID, "evil.example.com", 403),
        (EVENT_GRID, "", 403),
        (EVENTBRIDGE, "eventgrid.azure.net", 405),
        (PATH, "eventgrid.azure.net", 405),
    ],
)
def test_nobody_else_is_told_so(entrances: Running, path: str, origin: str, status: int) -> None:
    answer = entrances.sender.ask("OPTIONS", path, {"WebHook-Request-Origin": origin})

    assert answer.status_code == status
    assert "WebHook-Allowed-Origin" not in answer.headers
