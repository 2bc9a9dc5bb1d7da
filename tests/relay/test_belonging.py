"""An element that does not say whose it is goes into the inbox with what shows it."""

import json

from producer.children import ChildReader, Parent
from producer.type_tools import ToolBox
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue

SUMMARY = "entitlements.active_entitlement_summary"


def test_an_entitlement_is_its_customers() -> None:
    catalogue = load_catalogue()
    tool_box = ToolBox(catalogue=catalogue)
    reader = ChildReader(catalogue=catalogue, ways=load_ways(), tool_box=tool_box)
    entitlement = {"id": "ent_1", "object": "entitlements.active_entitlement", "feature": "feat_1"}
    body = {
        "object": SUMMARY,
        "customer": "cus_1",
        "entitlements": {"object": "list", "data": [entitlement], "has_more": False},
    }
    cells = tool_box.tools(SUMMARY).normaliser.read(json.dumps(body).encode())

    ((shown,),) = reader.read(SUMMARY, [Parent(name="summary", account_id="", cells=cells)])

    (child,) = shown.others
    normaliser = tool_box.tools(child.object_name).normaliser
    columns = normaliser.columns([normaliser.read(child.value)])
    assert (columns["parent_id"], columns["feature_id"]) == (["cus_1"], ["feat_1"])
