"""Whatever stands in the inbox becomes a candidate, a drop or a dead letter, never an error."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.children import ChildReader
from producer.normalise import Cells
from producer.preparing import Prepared, Preparer
from producer.reading import InboxRecord
from schemas.inbox import Envelope, Kind, Source
from schemas.objects import load_catalogue

HEADERS = Envelope(kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1).headers()
DEEP = b"[" * 100_000 + b"]" * 100_000
GOOD = b'{"id":"sub_1","object":"subscription","metadata":{}}'
WIDER = GOOD.replace(b"{}", b'{},"novel":1')


def event(body: bytes, previous: bytes = b"{}", created: bytes = b"5") -> bytes:
    return (
        b'{"id":"evt_1","type":"customer.subscription.updated","created":%s,'
        b'"data":{"object":%s,"previous_attributes":%s}}' % (created, body, previous)
    )


def prepared(*values: bytes) -> Prepared:
    """The values in one batch, after a good one has taught the short way."""
    preparer = Preparer(catalogue=load_catalogue())
    preparer.prepare([record(event(GOOD))], lambda _names: {})
    return preparer.prepare(
        [record(value, offset) for offset, value in enumerate(values)], lambda _names: {}
    )


def record(
    value: bytes, offset: int = 0, headers: list[tuple[str, bytes]] = HEADERS
) -> InboxRecord:
    return InboxRecord(key=b"sub_1", value=value, headers=headers, partition=0, offset=offset)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        event(b"[1]"),
        event(GOOD, created=b"99999999999999999999"),
        event(GOOD.replace(b"{}", DEEP)),
        event(GOOD.replace(b"metadata", b"novel").replace(b"{}", DEEP)),
        event(GOOD.replace(b"{}", b'{"a":"\xff"}')),
        event(GOOD.replace(b"{}", b'{"a":"\\ud800"}')),
        event(GOOD.replace(b"{}", b'{"a":1e999}')),
        event(GOOD.replace(b"{}", b'{"a":%s}' % (b"9" * 5_000))),
        event(GOOD.replace(b"metadata", b"m\xff")),
        event(GOOD.replace(b'"subscription"', b'"Drop Table"')),
        event(GOOD.replace(b'"subscription"', b'"%s"' % (b"a" * 5_000))),
        event(GOOD, previous=DEEP),
        event(GOOD, previous=b'{"a":"\xff"}'),
        event(GOOD, previous=b'{"a":1e999}'),
    ],
    ids=lambda value: repr(value[-60:])[:60],
)
def test_what_cannot_be_read_is_a_dead_letter_and_its_neighbours_are_not(value: bytes) -> None:
    found = prepared(event(GOOD), value, event(GOOD))
    assert [dead.record.offset for dead in found.dead] == [1]
    assert [candidate.observation.offset for candidate in found.candidates] == [0, 2]


@settings(deadline=None)
@given(
    value=st.binary(max_size=60)
    | st.builds(event, st.binary(max_size=30), st.binary(max_size=10), st.binary(max_size=5))
)
def test_any_bytes_at_all_are_a_candidate_a_drop_or_a_dead_letter(value: bytes) -> None:
    found = prepared(event(GOOD), value)
    assert len(found.dead) + len(found.candidates) + found.dropped.total() == 2


@pytest.mark.parametrize(
    "between",
    [
        (b'{"id":"sub_1","object":"subscription","deleted":true}', Kind.GONE),
        (GOOD.replace(b"{}", b'{},"newer still":1'), Kind.SNAPSHOT),
    ],
    ids=["gone", "snapshot"],
)
def test_fields_learnt_from_another_way_in_do_not_upset_events(
    between: tuple[bytes, Kind],
) -> None:
    preparer = Preparer(catalogue=load_catalogue())
    value, kind = between
    headers = Envelope(
        kind=kind, source=Source.REFETCH, received_at=1, observed_second=9
    ).headers()
    for offset, one in enumerate(
        [record(event(WIDER)), record(value, headers=headers), record(event(WIDER))]
    ):
        found = preparer.prepare([one], lambda _names: {})
        assert (offset, len(found.candidates), found.dead) == (offset, 1, [])


def test_a_fault_of_ours_kills_the_one_record_that_brings_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preparer = Preparer(catalogue=load_catalogue())
    values_of = ChildReader.values

    def faulty(self: ChildReader, name: str, cells: Cells) -> tuple[bytes, ...]:
        if bytes(cells[field]) == b'{"odd":1}':
            raise AttributeError("nobody thought of it")
        return values_of(self, name, cells)

    field = preparer.tools("subscription").normaliser.position("metadata")
    monkeypatch.setattr(ChildReader, "values", faulty)
    values = [event(GOOD), event(GOOD.replace(b"{}", b'{"odd":1}')), event(GOOD)]
    found = preparer.prepare(
        [record(value, offset) for offset, value in enumerate(values)], lambda _names: {}
    )
    assert [candidate.observation.offset for candidate in found.candidates] == [0, 2]
    (dead,) = found.dead
    assert (dead.record.offset, dead.reason) == (1, "unforeseen")
    assert dead.stack.endswith("AttributeError")
    assert "nobody thought" not in dead.stack
