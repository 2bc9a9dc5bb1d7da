"""A record's value, written at once, is the value that is made in columns."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer import compiled
from producer.observation import Observation
from producer.order import Entry
from producer.record import Change, ChangeCodec
from schemas.inbox import Kind, Source
from schemas.meta import Operation
from tests.relay.two_ways import NEEDS_COMPILED, catalogue

pytestmark = NEEDS_COMPILED

MICROS = st.integers(0, 2**61)
PREVIOUS = st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=4))


@st.composite
def changes(draw: st.DrawFn) -> Change:
    previous = json.dumps(draw(PREVIOUS), indent=draw(st.sampled_from([None, 2])))
    observation = Observation(
        kind=Kind.EVENT,
        source=draw(st.sampled_from(Source)),
        evidence=None,
        object_name="customer",
        key="cus_1",
        account_id=draw(st.text(max_size=5)),
        second=1,
        operation=Operation.UPDATED,
        event_id=draw(st.text(max_size=9)),
        event_type=draw(st.text(max_size=9)),
        api_version=draw(st.none() | st.text(max_size=9)),
        previous=draw(
            st.sampled_from([previous.encode(), b"", b"null", b' {"a": 1}', b'{"a":1} '])
        ),
        value=b"{}",
        received_at=draw(MICROS),
        partition=0,
        offset=0,
    )
    entry = Entry(
        event_at=draw(MICROS),
        operation=draw(st.sampled_from(Operation)),
        body_hash=b"",
        event_ids=(),
        inbox="0:0",
        record_offset=-1,
    )
    half = draw(st.binary(max_size=300))
    return Change(observation=observation, name="", table="customer", half=half, entry=entry)


@given(changed=st.lists(changes(), max_size=12))
def test_any_change_is_written_as_it_is_in_columns(changed: list[Change]) -> None:
    codec = ChangeCodec(catalogue().get("customer"))
    prefixes = [b"\0" + bytes([at]) for at in range(len(changed))]
    at_once = codec.values(prefixes, changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "IS_COMPILED", False)
        assert at_once == codec.values(prefixes, changed)
