"""What a customer may use: an entitlement says whose it is, and ends when it is not listed."""

import json
from typing import Any

import pytest

from producer.children import ChildReader, Parent
from producer.type_tools import ToolBox
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from tests.end_to_end.services import running
from tests.relay.inbox_writer import Sent, event
from tests.relay.installation import Installation
from tests.relay.stripe_server import StripeServer, listed

SUMMARY = "entitlements.active_entitlement_summary"


def entitlement(number: str) -> dict[str, Any]:
    return {
        "id": f"ent_{number}",
        "object": "entitlements.active_entitlement",
        "feature": f"feat_{number}",
    }


def test_an_entitlement_is_its_customers() -> None:
    catalogue = load_catalogue()
    tool_box = ToolBox(catalogue=catalogue)
    reader = ChildReader(catalogue=catalogue, ways=load_ways(), tool_box=tool_box)
    body = {"object": SUMMARY, "customer": "cus_1", "entitlements": listed([entitlement("1")])}
    cells = tool_box.tools(SUMMARY).normaliser.read(json.dumps(body).encode())

    lists = reader.values(SUMMARY, cells)
    parent = Parent(name="summary", account_id="", object_id="cus_1", lists=lists)
    ((shown,),) = reader.read(SUMMARY, [parent])

    (child,) = shown.others
    normaliser = tool_box.tools(child.object_name).normaliser
    columns = normaliser.columns([normaliser.read(child.value)])
    assert (columns["parent_id"], columns["feature_id"]) == (["cus_1"], ["feat_1"])


@pytest.mark.stack
def test_an_entitlement_that_an_event_lists_no_more_is_asked_for_and_ends(
    installation: Installation, stripe_server: StripeServer
) -> None:
    installation.objects = (SUMMARY, "entitlements.active_entitlement")
    stripe_server.missing = {"/v1/entitlements/active_entitlements/ent_1"}

    def summary(second: int, before: list[str], now: list[str]) -> Sent:
        return event(
            f"evt_{second}",
            "cus_1",
            second=second,
            kind="entitlements.active_entitlement_summary.updated",
            object_name=SUMMARY,
            previous={"entitlements": {"data": [entitlement(one) for one in before]}},
            customer="cus_1",
            entitlements=listed([entitlement(one) for one in now]),
        )

    with running(installation.relay(**stripe_server.settings)):
        installation.inbox.send(summary(1, [], ["1", "2"]))
        installation.await_relayed()
        stripe_server.second = 9
        installation.inbox.send(summary(3, ["1", "2"], ["2"]))
        installation.await_relayed()
    last = installation.last("entitlements.active_entitlement")
    assert {key: record["_operation"] for key, record in last.items()} == {
        "ent_1": "deleted",
        "ent_2": "snapshot",
    }
    assert last["ent_1"]["parent_id"] == "cus_1"
