"""What puts events of one object and one second in order, and what does not."""

from typing import Any

import msgspec
import pytest

from producer.order import CREATED_APART_MICROS_MIN, Witness, arranged
from producer.thin_events import BEFORE_BYTES_MAX, finer_of
from schemas.inbox import Envelope, Finer, Kind, Source
from schemas.meta import Operation

NEW, OLD = "2026-10-28.endive", "2020-08-27"
SECOND = 1_790_000_000
MICROS = SECOND * 1_000_000


def witness(
    body: dict[str, Any],
    previous: dict[str, Any] | None = None,
    *,
    version: str = NEW,
    created: int | None = None,
    replaced: dict[str, Any] | None = None,
    operation: Operation = Operation.UPDATED,
) -> Witness:
    encoded = msgspec.json.encode(body, order="sorted")
    return Witness(
        event_id=f"evt_{encoded.decode()}",
        operation=operation,
        body=body,
        previous=previous or {},
        body_hash=encoded,
        api_version=version,
        created=created,
        replaced=replaced or {},
    )


def test_bodies_of_two_api_versions_are_not_put_in_order_by_what_one_of_them_lacks() -> None:
    adds = witness({"discount": {"id": "di_1"}}, {"discount": None}, version=OLD)
    removes = witness({"discounts": []}, {"discounts": ["di_1"]}, version=NEW)

    assert arranged([adds, removes]) is None
    assert arranged([removes, adds]) is None


def test_a_creation_is_first_whatever_version_it_is_in() -> None:
    created = witness({"a": 1}, version=OLD, operation=Operation.CREATED)
    updated = witness({"a": 2}, {"a": 1}, version=NEW)

    assert arranged([updated, created]) == (1, 0)


BOTH_WAYS = ({"a": 1}, {"a": 2}), ({"a": 2}, {"a": 1})
"""Two bodies of which each may follow the other."""


@pytest.mark.parametrize(
    ("apart", "order"),
    [(CREATED_APART_MICROS_MIN, (0, 1)), (-CREATED_APART_MICROS_MIN, (1, 0))],
)
def test_times_that_are_far_enough_apart_tell_where_bodies_do_not(
    apart: int, order: tuple[int, int]
) -> None:
    first, second = (
        witness(*told, created=MICROS + moment)
        for told, moment in zip(BOTH_WAYS, (500_000, 500_000 + apart), strict=True)
    )

    assert arranged([first, second]) == order


@pytest.mark.parametrize("other", [500_000 + CREATED_APART_MICROS_MIN - 1, None])
def test_times_that_are_close_or_missing_tell_nothing(other: int | None) -> None:
    first = witness(*BOTH_WAYS[0], created=500_000)
    second = witness(*BOTH_WAYS[1], created=other)

    assert arranged([first, second]) is None


def test_what_bodies_tell_goes_before_what_times_tell() -> None:
    first = witness({"a": 2}, {"a": 1}, created=900_000)
    second = witness({"a": 3}, {"a": 2}, created=100_000)

    assert arranged([second, first]) == (1, 0)


def test_what_a_thin_event_says_was_replaced_orders_its_whole_event() -> None:
    first = witness({"a": 2}, {"a": 1})
    second = witness({"a": 3}, replaced={"a": 2})

    assert arranged([first, second]) == (0, 1)
    assert arranged([first, witness({"a": 3})]) is None


def thin(**fields: Any) -> bytes:
    body = {"id": "evt_1", "type": "v1.x.updated", "created": "2026-09-21T14:13:20.25Z", **fields}
    return msgspec.json.encode(body)


def whole(body: dict[str, Any], **fields: Any) -> bytes:
    return msgspec.json.encode({"created": SECOND, "data": {"object": body, **fields}})


CHANGES = {"before": {"a": 1, "b": {"c": 1}}, "after": {"a": 2, "b": {"c": 2}}}
SHOWN = {"a": 2, "b": {"c": 2, "d": 1}}


def test_a_thin_event_tells_its_finer_time_and_what_was_replaced() -> None:
    found = finer_of(thin(changes=CHANGES), whole(SHOWN))

    assert found is not None
    assert found.created == MICROS + 250_000
    assert msgspec.json.decode(found.before) == CHANGES["before"]


@pytest.mark.parametrize(
    ("changes", "event"),
    [
        (CHANGES, whole(SHOWN, previous_attributes={"a": 1})),
        (CHANGES, whole({**SHOWN, "a": 3})),
        (CHANGES, whole({"b": {"c": 2}})),
        (CHANGES, whole({**SHOWN, "b": None})),
        ({"before": {"a": None}, "after": {}}, whole({"a": None})),
        ({"before": {"a": "x" * BEFORE_BYTES_MAX}, "after": {"a": 2}}, whole(SHOWN)),
        (None, whole(SHOWN)),
    ],
)
def test_changes_that_the_whole_event_does_not_show_tell_nothing(
    changes: dict[str, Any] | None, event: bytes
) -> None:
    assert finer_of(thin(changes=changes), event) == Finer(created=MICROS + 250_000)


@pytest.mark.parametrize(
    "created", ["2026-09-21T14:13:21.000Z", "2026-09-21T14:13:20.25", "yesterday"]
)
def test_a_thin_event_of_another_second_tells_nothing(created: str) -> None:
    assert finer_of(thin(created=created), whole(SHOWN)) is None


@pytest.mark.parametrize("before", [b"", b'{"a":"\xc3\xa4"}'])
def test_what_a_thin_event_told_travels_in_the_envelope(before: bytes) -> None:
    envelope = Envelope(
        kind=Kind.EVENT,
        source=Source.REFETCH,
        received_at=1,
        finer=Finer(created=MICROS + 1, before=before),
    )

    assert Envelope.from_headers(envelope.headers()) == envelope
