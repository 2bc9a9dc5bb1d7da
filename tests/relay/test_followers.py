"""Events that simply follow what was published of their object, and those that only seem to."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer import compiled
from producer.deciding import Decider, Outcome, ReadAgain
from producer.order import Entry
from producer.preparing import Preparer
from producer.reading import EnvelopeReader, InboxRecord
from producer.record import Change, ChangeCodec, headers_of
from producer.shown_lists import digest_of
from schemas.inbox import Envelope, Kind, Source
from schemas.meta import Operation
from tests.relay.test_quick_events import bodies, names, written
from tests.relay.two_ways import HEADERS, NEEDS_COMPILED, catalogue, event, record

pytestmark = NEEDS_COMPILED

NAME = "customer:customer_1"


def entry(event_at: int, operation: Operation = Operation.UPDATED) -> Entry:
    return Entry(
        event_at=event_at,
        operation=operation,
        body_hash=b"",
        event_ids=("evt_0",),
        inbox="0:0",
        record_offset=0,
    )


def told(second: int, *, event_type: str = "customer.updated", **body: Any) -> bytes:
    fields = json.loads(event("customer", body))
    return json.dumps(fields | {"created": second, "type": event_type}).encode()


def preparer_that_learnt(name: str) -> Preparer:
    """One that has read two events of a type, and so knows all that is to be known of it."""
    preparer = Preparer(catalogue=catalogue())
    for offset in range(2):
        preparer.prepare([record(name, event(name, {}), offset)], lambda _names: {})
    return preparer


def decider(read_again: ReadAgain = lambda _entry: None) -> Decider:
    """One that cannot fetch."""
    return Decider(
        last_half=lambda _candidate, _entry: None,
        read_again=read_again,
        may_fetch=False,
    )


def decided(*values: bytes, entries: Mapping[str, Entry], busy: tuple[str, ...] = ()) -> Outcome:
    preparer = preparer_that_learnt("customer")
    records = [record("customer", value, 10 + at) for at, value in enumerate(values)]
    prepared = preparer.prepare(records, lambda _names: {})
    assert len(prepared.candidates) == len(values)
    return decider().decide(prepared.candidates, dict(entries), busy=busy, in_step={})


@pytest.mark.parametrize("entries", [{}, {NAME: entry(4_999_999)}, {NAME: entry(4_000_007)}])
def test_a_later_event_follows(entries: dict[str, Entry]) -> None:
    (follower,) = decided(told(5), entries=entries).followers
    assert follower.entry == Entry(
        event_at=5_000_000,
        operation=Operation.UPDATED,
        body_hash=follower.body_hash,
        event_ids=("evt_1",),
        inbox="0:10",
        record_offset=-1,
    )
    assert follower.placed(7).record_offset == 7


@pytest.mark.parametrize(
    ("values", "entries", "busy"),
    [
        pytest.param([told(5)], {NAME: entry(5_000_000)}, (), id="of the same second"),
        pytest.param([told(5)], {NAME: entry(6_999_999)}, (), id="older than a snapshot"),
        pytest.param([told(5)], {NAME: entry(3, Operation.DELETED)}, (), id="after a delete"),
        pytest.param([told(5, event_type="customer.deleted")], {}, (), id="a delete"),
        pytest.param([told(5), told(6)], {}, (), id="two in a batch"),
        pytest.param([told(5)], {}, (NAME,), id="more to decide of its object"),
    ],
)
def test_what_needs_more_thought_does_not_follow(
    values: list[bytes], entries: dict[str, Entry], busy: tuple[str, ...]
) -> None:
    assert decided(*values, entries=entries, busy=busy).followers == []


@pytest.mark.parametrize(
    ("name", "field", "element", "is_follower"),
    [("subscription", "items", "subscription_item", True), ("charge", "refunds", "refund", False)],
)
def test_an_event_with_a_list_follows_if_its_objects_are_its_own_and_are_as_they_were(
    name: str, field: str, element: str, is_follower: bool
) -> None:
    listed = {"object": "list", "data": [{"id": "x_1", "object": element}], "has_more": False}
    preparer = preparer_that_learnt(name)
    value = event(name, {field: listed})
    for offset in (10, 11):
        prepared = preparer.prepare([record(name, value, offset)], lambda _names: {})
    (candidate,) = prepared.candidates
    assert isinstance(candidate, compiled.QuickCandidate)
    assert candidate.lists
    shown = digest_of(candidate.lists)
    for known, expected in (
        ({}, False),
        ({candidate.name: b"other"}, False),
        (
            {candidate.name: shown},
            is_follower,
        ),
    ):
        outcome = decider().decide([candidate], {}, busy=(), in_step=known)
        assert bool(outcome.followers) is expected
        assert len(outcome.followers) + len(outcome.changes) == 1


def test_a_connected_accounts_event_takes_the_short_way() -> None:
    preparer = preparer_that_learnt("customer")
    envelope = Envelope(
        kind=Kind.EVENT, source=Source.POLL, received_at=1, account_id="acct_1"
    ).headers()
    found = InboxRecord(
        key=b"acct_1/customer_1", value=told(5), headers=envelope, partition=0, offset=9
    )
    preparer.prepare([found], lambda _names: {})
    (candidate,) = preparer.prepare([found], lambda _names: {}).candidates
    assert isinstance(candidate, compiled.QuickCandidate)
    assert (candidate.account_id, candidate.name) == ("acct_1", "customer:acct_1/customer_1")


def test_a_delete_that_shows_nothing_is_known_as_one() -> None:
    preparer = preparer_that_learnt("customer")
    value = told(5, event_type="customer.deleted", deleted=True)
    for offset in (10, 11):
        prepared = preparer.prepare([record("customer", value, offset)], lambda _names: {})
    (candidate,) = prepared.candidates
    assert isinstance(candidate, compiled.QuickCandidate)
    assert candidate.stub


def test_one_record_that_cannot_be_read_holds_up_no_others() -> None:
    preparer = preparer_that_learnt("customer")
    records = [
        InboxRecord(key=b"\xff", value=told(5), headers=HEADERS, partition=0, offset=9),
        record("customer", told(5), 10),
    ]
    prepared = preparer.prepare(records, lambda _names: {})
    assert [dead.reason for dead in prepared.dead] == ["bad_envelope"]
    assert [one.observation.offset for one in prepared.candidates] == [10]


def test_an_envelope_in_another_order_is_read_all_the_same() -> None:
    reader = EnvelopeReader()
    told_first = [("stripeline.envelope", b"received_at=7&kind=event&source=webhook")]
    found = InboxRecord(key=b"x", value=b"", headers=told_first, partition=0, offset=0)
    for _ in range(2):
        envelope, received_at, key = reader.read(found)
        assert (envelope.kind, received_at, key) == (Kind.EVENT, 7, "x")


def test_the_events_of_a_second_know_of_one_that_followed() -> None:
    preparer = preparer_that_learnt("customer")
    deciding = decider(lambda _entry: pytest.fail("its body is at hand"))
    first = preparer.prepare([record("customer", told(5, name="A"), 10)], lambda _names: {})
    (follower,) = deciding.decide(first.candidates, {}, busy=(), in_step={}).followers
    fields = json.loads(told(5, name="B"))
    fields["id"], fields["data"]["previous_attributes"] = "evt_2", {"name": "A"}
    later = preparer.prepare(
        [record("customer", json.dumps(fields).encode(), 11)], lambda _names: {}
    )
    outcome = deciding.decide(later.candidates, {NAME: follower.entry}, busy=(), in_step={})
    assert [change.entry.event_at for change in outcome.changes] == [5_000_001]


@settings(deadline=None)
@given(
    data=st.data(),
    source=st.sampled_from([Source.WEBHOOK, Source.POLL]),
    account_id=st.sampled_from(["", "acct_1", "acct &=%"]),
    received_at=st.integers(0, 2**61),
)
def test_its_record_is_written_as_that_of_any_change(
    data: st.DataObject, source: Source, account_id: str, received_at: int
) -> None:
    name = data.draw(st.sampled_from(names()))
    body = data.draw(bodies(name))
    envelope = Envelope(
        kind=Kind.EVENT, source=source, received_at=received_at, account_id=account_id
    )
    key = f"{account_id}/{name}_1" if account_id else f"{name}_1"
    preparer = Preparer(catalogue=catalogue())
    codec = ChangeCodec(catalogue().get(name))
    for offset in range(4):
        found = InboxRecord(
            key=key.encode(),
            value=data.draw(written(body)),
            headers=envelope.headers(),
            partition=3,
            offset=offset,
        )
        for one in preparer.prepare([found], lambda _names: {}).candidates:
            if isinstance(one, compiled.QuickCandidate):
                change = Change(
                    observation=one.observation,
                    name=one.name,
                    table=one.table,
                    half=one.half,
                    entry=one.entry,
                )
                (value,) = codec.values([b"\0\1"], [change])
                expected = (one, key.encode(), value, headers_of(one.entry), 1_000 * one.second)
                assert codec.ready(b"\0\1", one) == expected
