"""An event's object decides where it goes; where the catalogue expects another, it is counted."""

import pytest

from producer.deciding import Decider
from producer.preparing import Preparer
from producer.reading import InboxRecord
from producer.relay_meters import RelayMeters
from runtime import metrics
from runtime.metrics import Meters
from schemas.objects import load_catalogue
from tests.relay.inbox_writer import Sent, event, snapshot

PREPARER = Preparer(catalogue=load_catalogue())


def counted(sent: Sent, *, event_type: str, object_name: str) -> float:
    """What the metric says of an event type and an object, once the relay has published it."""
    record = InboxRecord(
        key=sent.key.encode(),
        value=sent.value,
        headers=sent.envelope.headers(),
        partition=0,
        offset=0,
    )
    decider = Decider(
        last_half=lambda _candidate, _entry: None,
        read_again=lambda _entry: None,
        may_fetch=False,
    )
    candidates = PREPARER.prepare([record], lambda _names: {}).candidates
    outcome = decider.decide(candidates, {}, busy=(), in_step={})
    assert len(outcome.followers) + len(outcome.changes) == 1
    meters = Meters()
    RelayMeters(meters=meters).committed(None, outcome, seconds=0.0)
    return meters.value(metrics.RELAY_UNEXPECTED, event_type=event_type, object=object_name)


@pytest.mark.parametrize(
    ("event_type", "object_name", "times"),
    [
        ("customer.updated", "customer", 0),
        ("customer.updated", "subscription", 1),
        # One of several that it may carry.
        ("account.external_account.created", "card", 0),
        # Nobody knows what that carries.
        ("customer.invented", "customer", 0),
    ],
)
def test_an_object_that_the_catalogue_does_not_expect_is_published_and_counted(
    event_type: str, object_name: str, times: int
) -> None:
    sent = event("evt_1", "x_1", second=1, kind=event_type, object_name=object_name)

    assert counted(sent, event_type=event_type, object_name=object_name) == times


def test_a_snapshot_expects_nothing() -> None:
    assert counted(snapshot("x_1", second=1), event_type="", object_name="subscription") == 0
