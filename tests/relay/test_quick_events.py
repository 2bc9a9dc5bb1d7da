"""The compiled way of reading an event says what the long way says, or leaves it to it."""

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.normalise import Normaliser
from producer.preparing import Preparer
from producer.reading import InboxRecord
from schemas.columns import ColumnKind
from tests.relay.two_ways import HEADERS, NEEDS_COMPILED, catalogue, event, read_both_ways, record

LONG = "a" * 600
"""What is so long is kept for its object alone."""

pytestmark = NEEDS_COMPILED


@cache
def names() -> list[str]:
    """Types that there is a short way for."""
    return [one.name for one in catalogue() if Normaliser(one).is_plain]


def nested() -> st.SearchStrategy[Any]:
    text = st.text(max_size=6) | st.sampled_from(["id", "data", "has_more", "object", "b", LONG])
    scalars = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
    ) | text
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=4),
        max_leaves=12,
    )


def fitting_value(kind: ColumnKind) -> st.SearchStrategy[Any]:
    match kind:
        case ColumnKind.STRING | ColumnKind.REFERENCE:
            return st.text(max_size=8)
        case ColumnKind.BOOLEAN:
            return st.booleans()
        case ColumnKind.INTEGER:
            return st.integers(-(2**64), 2**64) | st.integers(-100, 100)
        case ColumnKind.TIMESTAMP:
            return st.integers(0, 2**34) | st.integers(-(10**13), 10**13)
        case ColumnKind.FLOAT:
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)
        case ColumnKind.DECIMAL:
            return st.sampled_from(["1", "-0.5", "1e3", ".5", "x", "", "1.", "\u0661"])
        case ColumnKind.JSON:
            return nested()


@st.composite
def bodies(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A body of a type: some of its fields, seldom a value that does not fit, or a new field."""
    kinds = Normaliser(catalogue().get(name)).kinds
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), unique=True, max_size=12))
    odd = draw(st.sampled_from([False] * 7 + [True]))
    body: dict[str, Any] = {}
    for field in chosen:
        if field not in {"id", "object"}:
            values = st.none() | (nested() if odd else fitting_value(kinds[field]))
            body[field] = draw(values)
    if draw(st.sampled_from([False] * 3 + [True])):
        body |= draw(st.dictionaries(st.sampled_from(["novel", "newer", "né"]), nested()))
    known = [("id", f"{name}_1"), ("object", name), *body.items()]
    return dict(draw(st.permutations(known)))


@st.composite
def written(draw: st.DrawFn, body: dict[str, Any]) -> bytes:
    """An event of a body, as Stripe or somebody else may write it."""
    event = {
        "id": "evt_1",
        "object": "event",
        "api_version": draw(st.sampled_from(["2026-10-28.endive", None])),
        "created": draw(st.sampled_from([5, 1_795_849_081, 0, 5.0])),
        "data": {"object": body, "previous_attributes": draw(st.none() | nested())},
        "livemode": False,
        "request": {"id": None, "idempotency_key": draw(st.text(max_size=3))},
        "type": draw(st.sampled_from(["customer.updated", "customer.created"])),
    }
    return json.dumps(
        event,
        indent=draw(st.sampled_from([None, 2])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (",", ":")])),
    ).encode(errors="replace")


@settings(deadline=None)
@given(data=st.data())
def test_any_event_is_read_as_the_long_way_reads_it(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(names()))
    body = data.draw(bodies(name))
    other = data.draw(st.just(body) | bodies(name))
    values = [data.draw(written(one)) for one in (body, body, other, body)]
    read_both_ways(name, values)


@settings(deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_judged_as_the_long_way_judges_them(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["subscription", "customer", "coupon", "invoice"]))
    whole = data.draw(written(data.draw(bodies(name))))
    at = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 3))
    put = data.draw(
        st.binary(max_size=3)
        | st.sampled_from(
            [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"e", b"\0"]
        )
    )
    read_both_ways(name, [whole, whole[:at] + put + whole[at + length :], whole])


@pytest.mark.parametrize("name", ["subscription", "customer", "charge", "coupon"])
def test_what_is_plain_takes_the_short_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    preparer = Preparer(catalogue=catalogue())
    value = event(name, {"metadata": {"b": "1", "a": {"c": [1, None, True]}}, "livemode": False})
    (first,) = preparer.prepare([record(name, value, 0)], lambda _names: {}).candidates
    (second,) = preparer.prepare([record(name, value, 1)], lambda _names: {}).candidates
    monkeypatch.setattr(Normaliser, "read", _must_not_be_asked)
    (third,) = preparer.prepare([record(name, value, 2)], lambda _names: {}).candidates
    other = InboxRecord(
        key=f"{name}_2".encode(),
        value=value.replace(b'_1"', b'_2"'),
        headers=HEADERS,
        partition=0,
        offset=3,
    )
    (fourth,) = preparer.prepare([other], lambda _names: {}).candidates

    assert first.half == second.half == third.half
    assert fourth.half == first.half.replace(b"_1", b"_2")


def _must_not_be_asked(self: Normaliser, body: bytes) -> Any:
    raise AssertionError("the long way was taken")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"current_period_end":1798441368', '"current_period_end":1798441369'),
        ('"quantity":1', '"quantity":2'),
        ('"billing":"send_invoice"', '"billing":"send_receipt"'),
        ('"quantity":1', '"quantity":null'),
    ],
)
def test_a_field_that_keeps_its_length_is_not_taken_for_the_same(before: str, after: str) -> None:
    item: dict[str, Any] = {"id": "si_1", "metadata": {"long": LONG}}
    item |= {"object": "subscription_item", "current_period_end": 1798441368, "quantity": 1}
    items = {"object": "list", "data": [item], "has_more": False}
    value = event("subscription", {"billing": "send_invoice", "items": items})
    compact = json.dumps(json.loads(value), separators=(",", ":"))
    assert before in compact
    read_both_ways(
        "subscription",
        [compact.encode(), compact.replace(before, after).encode(), compact.encode()],
    )
