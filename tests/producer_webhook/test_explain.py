"""`explain` shows what would be published, without a server, and teaches when it cannot."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import ExitCode
from tests.producer_webhook.requests import about, encoded, event, thin_event

NO_SERVER = "127.0.0.1:1"


def _run(argument: str, *, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "stripeline", "producer", "explain", argument],
        input=given,
        env={"KAFKA_BOOTSTRAP_SERVERS": NO_SERVER, "KAFKA_NAMESPACE": "stripe"},
        capture_output=True,
        check=False,
    )


def _explained(body: dict[str, Any]) -> dict[str, Any]:
    run = _run("-", given=json.dumps(body).encode())
    assert run.returncode == ExitCode.OK, run.stderr
    found = json.loads(run.stdout)
    assert isinstance(found, dict)
    return found


def test_an_event_in_a_file_is_shown_as_topic_key_and_record(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    body = {
        "id": "sub_1",
        "object": "subscription",
        "customer": {"id": "cus_9", "object": "customer"},
        "created": 1_790_000_000,
        "metadata": {"b": "2", "a": "1"},
        "not_in_the_schema": [1],
    }
    changes = {"type": "customer.subscription.updated", "account": "acct_1"}
    file.write_bytes(encoded(about(body, "evt_7", **changes)))

    run = _run(str(file))

    assert run.returncode == ExitCode.OK, run.stderr
    found = json.loads(run.stdout)
    record = found["record"]
    assert (found["topic"], found["key"]) == ("stripe.subscription", "acct_1/sub_1")
    assert record["id"] == "sub_1"
    assert record["customer_id"] == "cus_9"
    assert record["created"] == 1_790_000_000_000_000
    assert json.loads(record["metadata"]) == {"a": "1", "b": "2"}
    assert json.loads(record["extra"]) == {"not_in_the_schema": [1]}
    assert record["_event_at"] == 1_790_000_000_000_000
    assert (record["_event_id"], record["_operation"]) == ("evt_7", "updated")
    assert record["_account_id"] == "acct_1"


def test_a_bare_object_is_shown_as_a_snapshot() -> None:
    found = _explained({"id": "cus_1", "object": "customer", "email": "ada@example.com"})

    assert (found["topic"], found["key"]) == ("stripe.customer", "cus_1")
    assert found["record"]["email"] == "ada@example.com"
    assert found["record"]["_operation"] == "snapshot"
    assert found["record"]["_event_at"] % 1_000_000 == 999_999


def test_an_object_type_never_seen_before_is_shown_with_everything_in_extra() -> None:
    found = _explained({"id": "zap_1", "object": "zapper.thing", "volts": 9})

    assert (found["topic"], found["key"]) == ("stripe.zapper_thing", "zap_1")
    assert json.loads(found["record"]["extra"]) == {"volts": 9}


def test_what_is_no_stored_object_is_shown_with_the_reason() -> None:
    found = _explained(about({"object": "invoice", "amount_due": 1}, "evt_up"))

    assert (found["topic"], found["key"], found["record"]) == (None, "evt_up", None)
    assert "no such object" in found["reason"]


def _items(*ids: str) -> dict[str, Any]:
    data = [{"id": one, "object": "subscription_item", "quantity": 2} for one in ids]
    return {"object": "list", "data": data, "has_more": False}


SUBSCRIPTION = {"id": "sub_1", "object": "subscription", "items": _items("si_1", "si_2")}


def test_the_objects_that_only_a_parent_shows_are_shown_with_it() -> None:
    changes = {"type": "customer.subscription.updated", "account": "acct_1"}
    found = _explained(about(SUBSCRIPTION, "evt_7", **changes))

    children = found["children"]
    assert {child["topic"] for child in children} == {"stripe.subscription_item"}
    assert [child["key"] for child in children] == ["acct_1/si_1", "acct_1/si_2"]
    record = children[0]["record"]
    assert (record["id"], record["quantity"], record["subscription_id"]) == ("si_1", 2, "sub_1")
    assert record["_event_at"] == found["record"]["_event_at"]
    assert (record["_event_id"], record["_operation"]) == ("evt_7", "created")


def test_of_a_snapshot_the_children_are_snapshots_and_of_a_delete_there_are_none() -> None:
    (first, _) = _explained(SUBSCRIPTION)["children"]
    assert first["record"]["_operation"] == "snapshot"

    line = {"id": "il_1", "object": "line_item"}
    lines = {"object": "list", "data": [line], "has_more": False}
    told = {"id": "in_1", "object": "invoice", "lines": lines}
    assert _explained(about(told, "evt_8", type="invoice.deleted"))["children"] == []


@pytest.mark.parametrize("name", ["line_item", "subscription_item"])
def test_an_object_that_only_its_parent_shows_is_not_published_alone(name: str) -> None:
    found = _explained({"id": "x_1", "object": name})

    assert (found["topic"], found["key"], found["record"]) == (None, "x_1", None)
    assert "whose list it stands in" in found["reason"]


@pytest.mark.parametrize("depth", [500, 900, 1_500, 100_000])
def test_what_is_nested_deeply_is_shown_or_refused_in_plain_words(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    for given in (
        b'{"id": "cus_1", "object": "customer", "novel": %s}' % deep,
        encoded(event()).replace(b'"Ada"', deep),
    ):
        run = _run("-", given=given)

        assert run.returncode in {ExitCode.OK, ExitCode.WRONG_USAGE}
        assert b"Traceback" not in run.stderr


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"not json",
        b"\xff",
        b"[]",
        b'{"id": "cus_1"}',
        b'{"id": "x", "object": "NOT a name"}',
        b'{"object": "event"}',
        encoded(event(created="yesterday")),
    ],
)
def test_anything_else_is_wrong_usage_and_says_what_to_give(given: bytes) -> None:
    run = _run("-", given=given)

    assert run.returncode == ExitCode.WRONG_USAGE
    assert b"as Stripe sends it" in run.stderr.replace(b"\n", b" ")
    assert b"Traceback" not in run.stderr


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    run = _run(str(tmp_path / "absent.json"))

    assert run.returncode == ExitCode.WRONG_USAGE
    assert b"absent.json" in run.stderr.replace(b"\n", b"")


def test_a_thin_event_is_told_from_an_object() -> None:
    run = _run("-", given=encoded(thin_event()))

    assert run.returncode == ExitCode.WRONG_USAGE
    assert b"thin event" in run.stderr
