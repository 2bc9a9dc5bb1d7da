"""A schema that the registry does not take: the relay stops and says which field it is."""

import json

import pytest

from runtime.errors import ExitCode
from schemas.objects import load_catalogue
from schemas.registry import Registry
from tests.infrastructure import Infrastructure
from tests.relay.inbox_writer import event
from tests.relay.installation import Installation

pytestmark = pytest.mark.stack


def test_an_incompatible_type_is_refused_at_registration_and_its_field_is_named(
    installation: Installation, stack: Infrastructure
) -> None:
    ours = load_catalogue().get("subscription").schema
    fields = [
        {**field, "type": ["null", "long"]} if field["name"] == "status" else field
        for field in ours["fields"]
    ]
    names = installation.names
    registry = Registry(stack.registry)
    registry.register(
        names.subject(names.object_topic("subscription")), {**ours, "fields": fields}
    )
    registry.close()
    installation.inbox.send(event("evt_1", "sub_1", second=1, status="active"))
    relay = installation.relay()
    relay.launch()
    assert relay.wait() == ExitCode.FAILED
    told = relay.log()
    assert "version 1: the field status may no longer be long" in told
    assert "the field status may now be string" in told
    assert "KAFKA_NAMESPACE" in told
    assert json.dumps("active") not in told
