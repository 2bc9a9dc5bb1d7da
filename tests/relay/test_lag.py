"""How far the relay is behind is shown also while nothing is committed."""

from collections.abc import Iterable

from producer.relay_lag import ASK_SECONDS, Bounds, RelayLag
from producer.relay_meters import RelayMeters
from runtime.metrics import RELAY_LAG_RECORDS, RELAY_LAG_SECONDS, Meters


class MovedClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def utc_micros(self) -> int:
        return int(self.seconds * 1_000_000)

    def monotonic_seconds(self) -> float:
        return self.seconds


class ToldInbox:
    """An inbox of which the test tells what is known."""

    def __init__(self) -> None:
        self.heard: Bounds = {}
        self.asked: Bounds = {}
        self.read: dict[int, int] = {}
        self.questions = 0

    def bounds(self, partitions: Iterable[int]) -> Bounds:
        return {one: self.heard[one] for one in partitions if one in self.heard}

    def bounds_asked_for(self, partitions: Iterable[int]) -> Bounds:
        self.questions += 1
        return {one: self.asked[one] for one in partitions if one in self.asked}

    def positions(self) -> dict[int, int]:
        return self.read


class Shown:
    """A lag with all that it needs."""

    def __init__(self, next_offsets: dict[int, int | None]) -> None:
        self.clock = MovedClock()
        self.inbox = ToldInbox()
        self.meters = Meters()
        self.lag = RelayLag(
            inbox=self.inbox, meters=RelayMeters(meters=self.meters), clock=self.clock
        )
        self.lag.begin(next_offsets)

    def records(self) -> dict[str, float]:
        """What is shown, by partition."""
        return {
            sample.labels["partition"]: sample.value
            for family in self.meters.registry.collect()
            for sample in family.samples
            if sample.name == RELAY_LAG_RECORDS.name
        }

    def seconds(self) -> float:
        return self.meters.value(RELAY_LAG_SECONDS)


def test_a_relay_that_publishes_nothing_falls_behind_in_records_and_seconds() -> None:
    shown = Shown({0: 5, 1: 5})
    shown.inbox.heard = {0: (0, 5), 1: (0, 5)}
    shown.lag.show(idle=True, reading=True)
    assert (shown.records(), shown.seconds(), shown.lag.none) == ({"0": 0, "1": 0}, 0, True)
    shown.inbox.heard = {0: (0, 9), 1: (0, 5)}
    shown.clock.seconds += 30
    shown.lag.show(idle=False, reading=True)
    assert (shown.records(), shown.seconds(), shown.lag.none) == ({"0": 4, "1": 0}, 30, False)


def test_seconds_are_counted_from_the_arrival_of_the_last_record_relayed() -> None:
    shown = Shown({0: 5})
    shown.inbox.heard = {0: (0, 9)}
    shown.clock.seconds += 100
    shown.lag.relayed({0: 6}, received_at=shown.clock.utc_micros() - 7_000_000)
    shown.lag.show(idle=False, reading=True)
    assert (shown.records(), shown.seconds()) == ({"0": 3}, 7)
    shown.lag.relayed({0: 9}, received_at=shown.clock.utc_micros() - 7_000_000)
    shown.lag.show(idle=False, reading=True)
    assert (shown.records(), shown.seconds()) == ({"0": 0}, 0)


def test_the_ends_of_transactions_are_no_records_that_wait() -> None:
    shown = Shown({0: 5})
    shown.inbox.heard = {0: (0, 7)}
    shown.inbox.read = {0: 7}
    shown.lag.show(idle=False, reading=True)
    assert shown.records() == {"0": 2}
    shown.lag.show(idle=True, reading=True)
    assert shown.records() == {"0": 0}


def test_what_kafka_keeps_no_longer_does_not_wait() -> None:
    shown = Shown({0: None})
    shown.inbox.heard = {0: (90, 100)}
    shown.lag.show(idle=False, reading=True)
    assert shown.records() == {"0": 10}


def test_partitions_that_are_not_read_are_asked_for_now_and_then() -> None:
    shown = Shown({0: 5})
    shown.inbox.asked = {0: (0, 8)}
    for _ in range(10):
        shown.lag.show(idle=False, reading=False)
    assert (shown.records(), shown.inbox.questions) == ({"0": 3}, 1)
    shown.inbox.asked = {}
    shown.clock.seconds += ASK_SECONDS
    shown.lag.show(idle=False, reading=False)
    # Kafka does not tell: what was known stays.
    assert (shown.records(), shown.inbox.questions) == ({"0": 3}, 2)


def test_a_partition_that_was_given_up_is_shown_no_more() -> None:
    shown = Shown({0: 5, 1: 5})
    shown.inbox.heard = {0: (0, 9), 1: (0, 9)}
    shown.lag.show(idle=False, reading=True)
    shown.lag.begin({1: 5})
    shown.lag.show(idle=False, reading=True)
    assert shown.records() == {"1": 4}
    shown.lag.begin({})
    shown.lag.show(idle=True, reading=True)
    assert (shown.records(), shown.seconds(), shown.lag.none) == ({}, 0, True)


def test_of_a_partition_that_nothing_is_known_of_nothing_is_claimed() -> None:
    shown = Shown({0: 5})
    shown.lag.show(idle=True, reading=True)
    assert (shown.records(), shown.lag.none) == ({}, False)
