"""Every event gets the key under which the relay expects its object."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from producer.errors import Refusal, RequestRefused
from producer.observation import Observation
from producer.reading import InboxRecord, ObservationReader
from producer.routing import Route, Router
from schemas.inbox import Envelope, Kind, Source
from schemas.objects import load_catalogue
from tests.producer_webhook.requests import about, encoded, event, thin_event

OBJECT_NAMES = sorted(load_catalogue().names())
FIELDS = some.dictionaries(
    some.sampled_from(["id", "customer", "account", "currency", "object"]),
    some.one_of(some.none(), some.integers(), some.text(max_size=8), some.just({"id": "x_1"})),
)
ANYTHING = some.recursive(
    some.one_of(
        some.none(),
        some.booleans(),
        some.floats(allow_nan=False, allow_infinity=False),
        some.text(max_size=8),
    ),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3),
        some.dictionaries(
            some.sampled_from(["id", "object", "data", "account", "livemode", "type"]),
            some.one_of(some.sampled_from(["event", "v2.core.event"]), inner),
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def _route(body: bytes) -> Route:
    return Router(catalogue=load_catalogue()).route(body)


def _read(body: bytes, route: Route) -> Observation | None:
    """What the relay makes of an event that was stored under its route."""
    envelope = Envelope(
        kind=Kind.EVENT, source=Source.WEBHOOK, received_at=1, account_id=route.account_id
    )
    record = InboxRecord(
        key=route.key.encode(), value=body, headers=envelope.headers(), partition=0, offset=0
    )
    return ObservationReader(catalogue=load_catalogue()).read(record)


@pytest.mark.parametrize("account", [None, "acct_1"])
@pytest.mark.parametrize("name", OBJECT_NAMES)
def test_the_relay_takes_the_key_of_every_object_type(name: str, account: str | None) -> None:
    rule = load_catalogue().get(name).key_rule
    assert rule is not None
    fields = {field: f"{field}_1" for field in rule.fields}
    body = encoded(about({"object": name, **fields}, account=account))

    seen = _read(body, _route(body))

    assert seen is not None
    assert seen.object_name == name
    assert seen.key.startswith("acct_1/") == (account is not None)


@given(name=some.sampled_from(OBJECT_NAMES), fields=FIELDS)
def test_an_event_with_any_fields_is_routed_as_the_relay_reads_it(
    name: str, fields: dict[str, Any]
) -> None:
    body = encoded(about({**fields, "object": name}, "evt_any"))
    route = _route(body)

    seen = _read(body, route)

    assert seen is None or seen.key == route.key


@given(value=ANYTHING)
def test_any_json_is_routed_or_refused(value: Any) -> None:
    body = json.dumps(value).encode()
    events = ("event", "v2.core.event")
    is_event = isinstance(value, dict) and value.get("object") in events and value.get("id")
    if is_event and isinstance(value["id"], str):
        assert _route(body).key
    else:
        with pytest.raises(RequestRefused) as caught:
            _route(body)
        assert caught.value.reason is Refusal.NOT_AN_EVENT


@given(body=some.binary(max_size=40))
def test_what_is_not_json_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        _route(b'{"id": ' + body)
    assert caught.value.reason in {Refusal.NOT_JSON, Refusal.NOT_UTF8, Refusal.NOT_AN_EVENT}


def test_an_event_that_is_nested_too_deeply_is_refused_as_no_json() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    with pytest.raises(RequestRefused) as caught:
        _route(encoded(event()).replace(b'"Ada"', deep))
    assert caught.value.reason is Refusal.NOT_JSON


@pytest.mark.parametrize("field", [b"evt_1", b"cus_1", b"customer"])
def test_an_event_whose_text_is_not_utf8_is_refused_as_such(field: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        _route(encoded(event()).replace(b'"%s"' % field, b'"\xff"'))
    assert caught.value.reason is Refusal.NOT_UTF8


@pytest.mark.parametrize("livemode", [True, False])
def test_the_mode_is_read_from_plain_and_from_odd_events(livemode: bool) -> None:
    plain = encoded(event(livemode=livemode))
    odd = encoded(about({"object": "invoice"}, livemode=livemode))
    assert (_route(plain).livemode, _route(odd).livemode) == (livemode, livemode)


def test_an_event_that_does_not_say_its_mode_has_none() -> None:
    bare = event()
    del bare["livemode"]
    assert _route(encoded(bare)).livemode is None


def test_an_upcoming_invoice_is_kept_under_the_events_id() -> None:
    body = encoded(about({"object": "invoice"}, "evt_up", type="invoice.upcoming"))
    assert _route(body).key == "evt_up"


def test_an_event_that_does_not_say_its_account_is_of_the_account_that_was_asked() -> None:
    router = Router(catalogue=load_catalogue())
    plain, odd = encoded(event()), encoded(about({"object": "balance"}))

    routes = [router.route(body, account_id="acct_7") for body in (plain, odd)]

    assert [route.key for route in routes] == ["acct_7/cus_1", "acct_7/balance"]
    assert {route.account_id for route in routes} == {"acct_7"}


def test_an_event_that_says_its_account_is_of_that_one() -> None:
    router = Router(catalogue=load_catalogue())

    route = router.route(encoded(event(account="acct_1")), account_id="acct_7")

    assert (route.key, route.account_id) == ("acct_1/cus_1", "acct_1")


@pytest.mark.parametrize(
    ("fields", "key", "account_id"),
    [
        ({}, "cus_1", ""),
        ({"context": "acct_7"}, "acct_7/cus_1", "acct_7"),
        ({"context": "org_1/acct_7"}, "acct_7/cus_1", "acct_7"),
        ({"account": "acct_7"}, "acct_7/cus_1", "acct_7"),
        ({"context": "org_1"}, "cus_1", ""),
        ({"context": None}, "cus_1", ""),
        ({"related_object": None}, "evt_thin", ""),
        ({"related_object": {"type": "balance", "url": "/v1/balance"}}, "balance", ""),
        ({"related_object": {"id": "acm_1", "type": "NOT a name"}}, "evt_thin", ""),
        # A capability's key needs its account, which a thin event does not show.
        ({"related_object": {"id": "transfers", "type": "capability"}}, "evt_thin", ""),
        ({"related_object": {"id": "acct_2", "type": "v2.core.account"}}, "acct_2", ""),
    ],
)
def test_a_thin_event_has_its_objects_key(
    fields: dict[str, Any], key: str, account_id: str
) -> None:
    route = _route(encoded(thin_event("evt_thin", **fields)))

    assert (route.key, route.account_id, route.kind) == (key, account_id, Kind.THIN_EVENT)
    assert (route.event_id, route.livemode) == ("evt_thin", False)
