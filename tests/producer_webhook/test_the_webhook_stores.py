"""What is answered 200 stands in the inbox: its exact bytes, under its object's key."""

import json
from typing import Any

import pytest

from schemas.inbox import Envelope, Kind, Source
from tests.producer_webhook.conftest import OLD_SECRET, PARTITIONS, Running
from tests.producer_webhook.inbox import Stored, partition_of
from tests.producer_webhook.requests import about, encoded, event, signed

pytestmark = pytest.mark.stack


def _stored(webhook: Running, body: bytes) -> Stored:
    """Post a body, and find the one record that holds it."""
    before = len(webhook.stored())
    assert webhook.sender.post(body).status_code == 200
    records = webhook.stored()
    assert len(records) == before + 1
    (record,) = [record for record in records if record.value == body]
    return record


def test_an_acknowledged_event_is_durable_with_key_headers_and_the_java_partition(
    webhook: Running,
) -> None:
    # Odd spacing and an escaped letter: the bytes are kept, not what they mean.
    body = json.dumps(event("evt_bytes", note="Grüße  "), indent=3).encode() + b"\n"

    record = _stored(webhook, body)

    assert record.key == "cus_1"
    assert record.partition == partition_of("cus_1", partitions=PARTITIONS)
    envelope = Envelope.from_headers(record.headers)
    assert envelope.kind is Kind.EVENT
    assert envelope.source is Source.WEBHOOK
    assert envelope.account_id == ""
    assert envelope.received_at > 1_790_000_000_000_000
    assert record.headers == envelope.headers()


def test_every_key_goes_where_the_java_clients_put_it(webhook: Running) -> None:
    keys = [f"cus_{number}" for number in range(20)]
    for key in keys:
        body = encoded(about({"id": key, "object": "customer"}, f"evt_{key}"))
        assert webhook.sender.post(body).status_code == 200

    found = {record.key: record.partition for record in webhook.stored() if record.key in keys}

    assert found == {key: partition_of(key, partitions=PARTITIONS) for key in keys}
    assert len(set(found.values())) == PARTITIONS


def test_a_connected_accounts_event_is_keyed_by_account_and_object(webhook: Running) -> None:
    record = _stored(webhook, encoded(event("evt_connect", account="acct_7")))

    assert record.key == "acct_7/cus_1"
    assert Envelope.from_headers(record.headers).account_id == "acct_7"


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"id": "zap_1", "object": "zapper.thing"}, "zap_1"),
        ({"object": "invoice", "amount_due": 5}, "evt_odd"),
        ({"object": "balance", "available": []}, "balance"),
        ({"id": 7, "object": "customer"}, "evt_odd"),
        ({"id": "x", "object": "NOT a name"}, "evt_odd"),
        ({}, "evt_odd"),
    ],
)
def test_what_stripe_signed_is_kept_however_odd_its_object(
    webhook: Running, body: dict[str, Any], key: str
) -> None:
    marked = {**body, "marker": f"{key}{body}"}
    assert _stored(webhook, encoded(about(marked, "evt_odd"))).key == key


def test_an_event_type_never_seen_before_is_stored(webhook: Running) -> None:
    assert _stored(webhook, encoded(event("evt_new", type="customer.teleported"))).key == "cus_1"


def test_both_secrets_are_good_while_one_is_replaced(webhook: Running) -> None:
    body = encoded(event("evt_rotation"))

    answers = [
        webhook.sender.post(body, signed(body)),
        webhook.sender.post(body, signed(body, secret=OLD_SECRET)),
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len([record for record in webhook.stored() if record.value == body]) == 2


def test_the_largest_body_allowed_is_stored(webhook: Running) -> None:
    limit = 2 * 1_048_576
    bare = len(encoded(event("evt_large", note="")))
    body = encoded(event("evt_large", note="x" * (limit - bare)))
    assert len(body) == limit

    assert _stored(webhook, body).key == "cus_1"


def test_what_was_acknowledged_is_counted_and_timed(webhook: Running) -> None:
    names = ("stripeline_webhook_acknowledged_total", "stripeline_webhook_seconds_count")
    before = [webhook.service.metric(name) for name in names]

    assert webhook.sender.post(encoded(event("evt_counted"))).status_code == 200

    assert [webhook.service.metric(name) for name in names] == [count + 1 for count in before]
