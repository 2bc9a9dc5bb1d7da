"""From Stripe's JSON to columns: two ways, one result, nothing lost."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producer.fitting import INTEGER_MAX
from producer.normalise import Normaliser, NotAnObject
from producer.observation import Observation
from producer.order import Entry
from producer.record import Change, ChangeCodec, HalfCodec, hash_of
from schemas.codec import RecordCodec
from schemas.decimals import is_decimal
from schemas.inbox import Kind, Source
from schemas.meta import EXTRA, Operation
from schemas.objects import Catalogue, load_catalogue


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def row(normaliser: Normaliser, body: dict[str, Any]) -> dict[str, Any]:
    """The columns of one body."""
    cells = normaliser.read(json.dumps(body).encode())
    return {name: values[0] for name, values in normaliser.columns([cells]).items()}


def subscription(**fields: Any) -> dict[str, Any]:
    return {"id": "sub_1", "object": "subscription", **fields}


@pytest.fixture
def subscriptions(catalogue: Catalogue) -> Normaliser:
    return Normaliser(catalogue.get("subscription"))


def test_each_kind_of_field_becomes_its_column(subscriptions: Normaliser) -> None:
    found = row(
        subscriptions,
        subscription(
            customer="cus_1",
            status="never_seen_before",
            cancel_at_period_end=False,
            created=1_790_000_000,
            days_until_due=30,
            application_fee_percent=12.5,
            metadata={"b": "2", "a": "1"},
        ),
    )
    assert found["customer_id"] == "cus_1"
    assert found["status"] == "never_seen_before"
    assert found["cancel_at_period_end"] is False
    assert found["created"] == 1_790_000_000_000_000
    assert found["days_until_due"] == 30
    assert found["application_fee_percent"] == 12.5
    assert found["metadata"] == '{"a":"1","b":"2"}'
    assert found[EXTRA] is None


@pytest.mark.parametrize(
    "expanded",
    [
        {"id": "cus_1", "object": "customer", "name": "n"},
        {"id": "cus_1", "object": "customer", "deleted": True},
    ],
)
def test_an_expanded_reference_is_its_id(
    subscriptions: Normaliser, expanded: dict[str, Any]
) -> None:
    collapsed = row(subscriptions, subscription(customer="cus_1"))
    assert row(subscriptions, subscription(customer=expanded)) == collapsed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("days_until_due", "thirty"),
        ("days_until_due", INTEGER_MAX + 1),
        ("days_until_due", 1.5),
        ("days_until_due", True),
        ("status", {"nested": 1}),
        ("status", 7),
        ("cancel_at_period_end", "yes"),
        ("created", "2026-11-21"),
        ("created", 253_402_300_800),
        ("created", INTEGER_MAX),
        ("application_fee_percent", "12"),
        ("customer", {"no": "id"}),
        ("customer", [1]),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_kept_in_extra(
    subscriptions: Normaliser, field: str, value: Any
) -> None:
    found = row(subscriptions, subscription(**{field: value}))
    assert json.loads(found[EXTRA]) == {field: value}
    assert found.get(field, found.get(f"{field}_id")) is None


@pytest.mark.parametrize(
    "text", ["many", "", "NaN", "1,5", " 1", "1\n", "٣", "1e1000", "9" * 1_001]
)
def test_a_text_that_is_no_decimal_is_kept_in_extra(catalogue: Catalogue, text: str) -> None:
    found = row(Normaliser(catalogue.get("price")), {"id": "p", "unit_amount_decimal": text})
    assert found["unit_amount_decimal"] is None
    assert json.loads(found[EXTRA]) == {"unit_amount_decimal": text}


DECIMALS = st.decimals().map(str) | st.text("+-.eE0123456789 \n_xNa", max_size=8)


@settings(deadline=None)
@given(text=DECIMALS)
def test_the_short_way_and_the_long_way_call_the_same_texts_decimals(text: str) -> None:
    normaliser = Normaliser(load_catalogue().get("price"))
    body = {"id": "p", "unit_amount_decimal": text}
    at_length = row(normaliser, {**body, "novel": 1})
    in_short = row(normaliser, body)
    assert in_short["unit_amount_decimal"] == at_length["unit_amount_decimal"]
    assert in_short["unit_amount_decimal"] == (text if is_decimal(text) else None)


def test_a_field_never_seen_before_is_kept_in_extra_again_and_again(
    subscriptions: Normaliser,
) -> None:
    body = subscription(status="active", brand_new={"y": [1, None], "x": 2}, newer=None)
    first, second = row(subscriptions, body), row(subscriptions, body)
    assert first == second
    assert first[EXTRA] == '{"brand_new":{"x":2,"y":[1,null]},"newer":null}'
    assert row(subscriptions, subscription(status="active"))[EXTRA] is None


@pytest.mark.parametrize(
    "body",
    [
        subscription(current_period_end=20, current_period_start=10),
        subscription(
            items={
                "object": "list",
                "data": [{"id": "si_1", "current_period_end": 20, "current_period_start": 10}],
            }
        ),
    ],
    ids=["before basil", "since basil"],
)
def test_a_moved_value_fills_its_column_from_either_place(
    subscriptions: Normaliser, body: dict[str, Any]
) -> None:
    found = row(subscriptions, body)
    assert found["current_period_end"] == 20_000_000
    assert found["current_period_start"] == 10_000_000


def test_an_embedded_object_has_its_json_and_its_id(catalogue: Catalogue) -> None:
    normaliser = Normaliser(catalogue.get("subscription_item"))
    price = {"id": "price_1", "object": "price"}
    whole = row(normaliser, {"id": "si_1", "object": "subscription_item", "price": price})
    assert (whole["price_id"], json.loads(whole["price"])) == ("price_1", price)
    bare = row(normaliser, {"id": "si_1", "object": "subscription_item", "price": "price_1"})
    assert (bare["price_id"], bare["price"]) == ("price_1", None)


@pytest.mark.parametrize(
    ("name", "field"),
    [("charge", "refunds"), ("customer", "sources"), ("checkout.session", "line_items")],
)
def test_a_list_that_events_do_not_show_makes_no_difference(
    catalogue: Catalogue, name: str, field: str
) -> None:
    normaliser = Normaliser(catalogue.get(name))
    body = {"id": "one_1", "object": name}
    shown = {"object": "list", "data": [{"id": "part_1", "object": "part"}], "has_more": False}

    assert row(normaliser, {**body, field: shown}) == row(normaliser, body)


def test_a_list_apart_still_tells_what_moved_into_it(catalogue: Catalogue) -> None:
    normaliser = Normaliser(catalogue.get("invoice"))
    payment = {"id": "inpay_1", "is_default": True, "payment": {"charge": "ch_1"}}
    payments = {"object": "list", "data": [payment], "has_more": False}
    found = row(normaliser, {"id": "in_1", "object": "invoice", "payments": payments})

    assert (found["charge_id"], found["payments"]) == ("ch_1", None)


def test_what_has_no_id_of_its_own_takes_its_natural_key(catalogue: Catalogue) -> None:
    normaliser = Normaliser(catalogue.get("balance"))
    assert row(normaliser, {"object": "balance", "livemode": False})["id"] == "balance"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'{"id": "\xff"}', b'"text"'])
def test_what_is_no_json_object_is_refused(subscriptions: Normaliser, body: bytes) -> None:
    with pytest.raises(NotAnObject):
        subscriptions.read(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ("status", "customer", "created", "items", "metadata", "days_until_due", "livemode", "novel")
)


@settings(deadline=None)
@given(fields=st.dictionaries(FIELDS, JSON))
def test_the_short_way_and_the_long_way_give_the_same_row(fields: dict[str, Any]) -> None:
    catalogue = load_catalogue()
    learnt, fresh = (Normaliser(catalogue.get("subscription")) for _ in range(2))
    body = subscription(**fields)
    # After the first time the unknown fields are known, and the short way takes them.
    learnt.read(json.dumps(body).encode())
    assert row(learnt, body) == row(fresh, body)


@settings(deadline=None)
@given(fields=st.dictionaries(FIELDS, JSON))
def test_nothing_that_stripe_sent_is_lost(fields: dict[str, Any]) -> None:
    normaliser = Normaliser(load_catalogue().get("subscription"))
    found = row(normaliser, subscription(**fields))
    extra = json.loads(found[EXTRA]) if found[EXTRA] else {}
    for name, value in fields.items():
        if name in extra:
            assert extra[name] == value
        elif name == "created":
            assert found[name] == (None if value is None else value * 1_000_000)
        elif name in ("items", "metadata"):
            assert (None if found[name] is None else json.loads(found[name])) == value
        elif name == "customer":
            assert found["customer_id"] == (value["id"] if isinstance(value, dict) else value)
        else:
            assert found[name] == value


@settings(deadline=None)
@given(
    fields=st.dictionaries(FIELDS, JSON), indent=st.sampled_from((None, 1, 4)), turn=st.booleans()
)
def test_however_a_body_is_written_its_hash_is_the_same(
    fields: dict[str, Any], indent: int | None, turn: bool
) -> None:
    object_type = load_catalogue().get("subscription")
    normaliser, codec = Normaliser(object_type), HalfCodec(object_type)
    body = subscription(**fields)
    turned = dict(reversed(body.items())) if turn else body
    rows = [
        normaliser.read(json.dumps(body).encode()),
        normaliser.read(json.dumps(turned, indent=indent, ensure_ascii=False).encode()),
    ]
    first, second = codec.encode(normaliser.columns(rows), 2)
    assert hash_of(first) == hash_of(second)


def test_the_two_halves_are_the_whole_record(catalogue: Catalogue) -> None:
    object_type = catalogue.get("subscription")
    normaliser = Normaliser(object_type)
    body = json.dumps(subscription(status="active", customer="cus_1")).encode()
    half = HalfCodec(object_type).encode(normaliser.columns([normaliser.read(body)]), 1)[0]
    observation = Observation(
        kind=Kind.EVENT,
        source=Source.WEBHOOK,
        evidence=None,
        object_name="subscription",
        key="sub_1",
        account_id="",
        second=1,
        operation=Operation.UPDATED,
        event_id="evt_1",
        event_type="customer.subscription.updated",
        api_version=None,
        previous=b'{ "status": null }',
        value=body,
        received_at=5,
        partition=0,
        offset=0,
    )
    entry = Entry(
        event_at=1_000_000,
        operation=Operation.UPDATED,
        body_hash=hash_of(half),
        event_ids=("evt_1",),
        inbox="0:0",
        record_offset=-1,
    )
    change = Change(observation=observation, name="", table="subscription", half=half, entry=entry)
    (whole,) = ChangeCodec(object_type).values([b""], [change])
    record = RecordCodec(object_type.schema).decode(whole)
    assert record["status"] == "active"
    assert (record["_event_at"], record["_received_at"]) == (1_000_000, 5)
    assert (record["_event_id"], record["_previous"]) == ("evt_1", '{"status":null}')
    assert msgspec.json.decode(body)["id"] == record["id"]
