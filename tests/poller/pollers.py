"""A poller in memory, and a Kafka in which one step can be made to go wrong."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from producer.backfill_scope import GAP, backfill_key
from producer.event_list import EventList
from producer.poll_cursor import cursor_key
from producer.poller import Poller
from producer.routing import Router
from runtime.metrics import Meters
from schemas.inbox import Envelope
from schemas.objects import load_catalogue
from tests.poller.listed_events import NOW, ListedEvents, number_of

OVERLAP_SECONDS = 600
END_SECONDS_MAX = 60.0
ROUTER = Router(catalogue=load_catalogue())


class Crash(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Steps:
    """Counts what the poller does to the outside, and lets one step go wrong.

    Attributes:
        fail_at: number of the step that fails; each is counted.
        failure: what is raised there.
    """

    fail_at: int = -1
    failure: BaseException = field(default_factory=Crash)
    done: int = 0

    def step(self) -> None:
        self.done += 1
        if self.done == self.fail_at:
            raise self.failure


@dataclass(slots=True)
class Kafka:
    """The inbox and the cursors; what was put is there only after the flush."""

    steps: Steps = field(default_factory=Steps)
    inbox: list[tuple[str, bytes, Envelope]] = field(default_factory=list)
    cursors: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: list[tuple[str, bytes, Envelope]] = field(default_factory=list)

    def put_event(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        self.steps.step()
        self.pending.append((key, value, envelope))

    def flush(self) -> None:
        try:
            self.steps.step()
        except BaseException:
            # Some of what was on its way may have arrived.
            self.inbox += self.pending[: len(self.pending) // 2]
            self.pending.clear()
            raise
        self.inbox += self.pending
        self.pending.clear()

    def put_cursor(self, key: str, value: dict[str, Any]) -> None:
        self.steps.step()
        self.cursors[key] = value

    def numbers(self) -> list[int]:
        return [number_of(value) for _key, value, _envelope in self.inbox]


@dataclass(frozen=True, slots=True)
class Writer:
    """The inbox as the poller sees it."""

    kafka: Kafka

    def put(self, *, key: str, value: bytes, envelope: Envelope) -> None:
        self.kafka.put_event(key=key, value=value, envelope=envelope)

    def flush(self) -> None:
        self.kafka.flush()


@dataclass(frozen=True, slots=True)
class StoredCursors:
    """The cursors' topic as the poller sees it."""

    kafka: Kafka

    def read(self) -> dict[str, dict[str, Any]]:
        return dict(self.kafka.cursors)

    def put(self, key: str, value: dict[str, Any]) -> None:
        self.kafka.put_cursor(key, value)


def gap_key(account_id: str = "") -> str:
    """Of the cursor of a backfill that polling found due."""
    return backfill_key(account_id, selection=GAP)


def finish(poller: Poller) -> None:
    """Poll once, and let the backfills that are due then come to their end."""
    poller.poll()
    poller.await_backfills(seconds_max=END_SECONDS_MAX)


class FixedClock:
    """It stands still."""

    def utc_micros(self) -> int:
        return NOW * 1_000_000

    def monotonic_seconds(self) -> float:
        return 0.0


@dataclass(slots=True)
class Backfills:
    """Remembers what it was asked for; `failures` are raised by the next ones.

    Attributes:
        found: what the inbox had when each began.
        stood_at: the cursor from which each went on.
        meanwhile: is called within each.
    """

    kafka: Kafka
    accounts: list[str] = field(default_factory=list)
    found: list[list[int]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    stood_at: list[dict[str, Any] | None] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def __call__(self, account_id: str) -> None:
        self.accounts.append(account_id)
        self.found.append(self.kafka.numbers())
        self.stood_at.append(self.kafka.cursors.get(gap_key(account_id)))
        self.meanwhile()
        if self.failures:
            raise self.failures.pop(0)


@dataclass(slots=True)
class Installation:
    """Stripe, Kafka, and whatever process polls."""

    listed: ListedEvents = field(default_factory=ListedEvents)
    kafka: Kafka = field(default_factory=Kafka)
    meters: Meters = field(default_factory=Meters)
    accounts: tuple[str, ...] = ("",)
    livemode: bool | None = None
    backfills: Backfills = field(init=False)

    def __post_init__(self) -> None:
        self.backfills = Backfills(self.kafka)

    def poller(self) -> Poller:
        """A new process."""
        self.kafka.pending.clear()
        return Poller(
            events=EventList(api=self.listed, may_go_on=lambda: True, slice_events_max=3),
            accounts=lambda: self.accounts,
            writer=Writer(self.kafka),
            cursors=StoredCursors(self.kafka),
            router=ROUTER,
            livemode=self.livemode,
            overlap_seconds=OVERLAP_SECONDS,
            backfill=self.backfills,
            clock=FixedClock(),
            meters=self.meters,
        )

    def second(self, account_id: str = "") -> int:
        """Where the cursor of an account stands."""
        return int(self.kafka.cursors[cursor_key(account_id)]["second"])
