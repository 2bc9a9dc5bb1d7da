"""Every metric that a service exposes: one typed catalogue, and the meters that fill it."""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCH_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)


class Kind(Enum):
    """How a metric's value moves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its name as Prometheus shows it, what it means, its labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = LATENCY_SECONDS


WEBHOOK_RECEIVED = Metric(
    name="stripeline_webhook_received_total",
    kind=Kind.COUNTER,
    meaning="Webhook requests received, whatever became of them.",
)
WEBHOOK_ACKNOWLEDGED = Metric(
    name="stripeline_webhook_acknowledged_total",
    kind=Kind.COUNTER,
    meaning="Webhook events that the inbox holds and that were answered 200.",
)
WEBHOOK_REFUSED = Metric(
    name="stripeline_webhook_refused_total",
    kind=Kind.COUNTER,
    meaning="Webhook requests that were not stored, by reason.",
    labels=("reason",),
)
WEBHOOK_SECONDS = Metric(
    name="stripeline_webhook_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Seconds from the request's last byte to the answer, for acknowledged events.",
)
WEBHOOK_QUEUED = Metric(
    name="stripeline_webhook_queued",
    kind=Kind.GAUGE,
    meaning="Events handed to Kafka and not yet acknowledged.",
)
POLL_EVENTS = Metric(
    name="stripeline_poll_events_total",
    kind=Kind.COUNTER,
    meaning=(
        "Events that Stripe listed, by outcome: written to the inbox, repeated (written before), "
        "other_mode or too_large."
    ),
    labels=("outcome",),
)
POLL_LAG_SECONDS = Metric(
    name="stripeline_poll_lag_seconds",
    kind=Kind.GAUGE,
    meaning="Seconds of Stripe's clock since which the slowest account was not polled.",
)
POLL_BACKFILL_DUE = Metric(
    name="stripeline_poll_backfill_due",
    kind=Kind.GAUGE,
    meaning=(
        "Accounts whose events were gone from Stripe's list before they were polled, and whose "
        "backfill is not done."
    ),
)
RUN_READY = Metric(
    name="stripeline_run_ready",
    kind=Kind.GAUGE,
    meaning="1 while a part of `producer run` is ready, otherwise 0.",
    labels=("part",),
)
RUN_RESTARTS = Metric(
    name="stripeline_run_restarts_total",
    kind=Kind.COUNTER,
    meaning="How often a part of `producer run` died and was started again.",
    labels=("part",),
)
RELAY_CONSUMED = Metric(
    name="stripeline_relay_consumed_total",
    kind=Kind.COUNTER,
    meaning="Inbox records read.",
)
RELAY_PUBLISHED = Metric(
    name="stripeline_relay_published_total",
    kind=Kind.COUNTER,
    meaning="Changes published to object topics, by object and operation.",
    labels=("object", "operation"),
)
RELAY_UNEXPECTED = Metric(
    name="stripeline_relay_unexpected_total",
    kind=Kind.COUNTER,
    meaning=(
        "Changes whose event is of a known type and holds an object that the catalogue does not "
        "expect there, by event type and object: published as what it is."
    ),
    labels=("event_type", "object"),
)
RELAY_DROPPED = Metric(
    name="stripeline_relay_dropped_total",
    kind=Kind.COUNTER,
    meaning="Inbox records for which nothing was published, by reason.",
    labels=("reason",),
)
RELAY_REFETCHED = Metric(
    name="stripeline_relay_refetched_total",
    kind=Kind.COUNTER,
    meaning="Objects that Stripe was asked for, by outcome.",
    labels=("outcome",),
)
RELAY_WANTED = Metric(
    name="stripeline_relay_wanted_total",
    kind=Kind.COUNTER,
    meaning="Objects asked for, their lists not being whole or listing them no more, by reason.",
    labels=("reason",),
)
RELAY_INCOMPLETE = Metric(
    name="stripeline_relay_incomplete_total",
    kind=Kind.COUNTER,
    meaning="Objects published without all of their lists that cannot be asked for.",
)
RELAY_SIGHTED = Metric(
    name="stripeline_relay_sighted_total",
    kind=Kind.COUNTER,
    meaning="Objects shown in another one's list and put into the inbox, by object.",
    labels=("object",),
)
RELAY_BATCH_RECORDS = Metric(
    name="stripeline_relay_batch_records",
    kind=Kind.HISTOGRAM,
    meaning="Inbox records in one relay transaction.",
    buckets=BATCH_RECORDS,
)
RELAY_TRANSACTION_SECONDS = Metric(
    name="stripeline_relay_transaction_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Seconds from the first record produced to the transaction's commit.",
)
RELAY_LAG_RECORDS = Metric(
    name="stripeline_relay_lag_records",
    kind=Kind.GAUGE,
    meaning="Inbox records not yet relayed, by partition.",
    labels=("partition",),
)
RELAY_LAG_SECONDS = Metric(
    name="stripeline_relay_lag_seconds",
    kind=Kind.GAUGE,
    meaning="Seconds that inbox records wait for the relay; 0 when all are relayed.",
)
BACKFILL_OBJECTS = Metric(
    name="stripeline_backfill_objects_total",
    kind=Kind.COUNTER,
    meaning="Objects that a backfill put into the inbox, by object.",
    labels=("object",),
)
BACKFILL_REQUESTS = Metric(
    name="stripeline_backfill_requests_total",
    kind=Kind.COUNTER,
    meaning="Questions of a backfill that Stripe answered, by object.",
    labels=("object",),
)
BACKFILL_RETRIES = Metric(
    name="stripeline_backfill_retries_total",
    kind=Kind.COUNTER,
    meaning="Questions of a backfill that were asked again (429, 5xx, no answer), by object.",
    labels=("object",),
)
RECONCILE_COMPARED = Metric(
    name="stripeline_reconcile_compared_total",
    kind=Kind.COUNTER,
    meaning="Objects that Stripe listed and that were published before, by object.",
    labels=("object",),
)
RECONCILE_FOUND = Metric(
    name="stripeline_reconcile_found_total",
    kind=Kind.COUNTER,
    meaning=(
        "What a reconcile found about objects: unchanged, repaired, created, deleted, ...; `told` "
        "is `no` for what came or went without an event, as Stripe's do not tell everything."
    ),
    labels=("object", "verdict", "told"),
)
RECONCILE_DRIFT = Metric(
    name="stripeline_reconcile_drift_total",
    kind=Kind.COUNTER,
    meaning="Objects of which a change was missed, by object and column.",
    labels=("object", "column"),
)
RECONCILE_FAILED = Metric(
    name="stripeline_reconcile_failed_total",
    kind=Kind.COUNTER,
    meaning="Lists that a reconcile could not read to their end, and deletes it did not believe.",
    labels=("object", "reason"),
)
RECONCILE_SUCCEEDED_AT = Metric(
    name="stripeline_reconcile_succeeded_at_seconds",
    kind=Kind.GAUGE,
    meaning="When the last reconcile that read everything ended, seconds since 1970.",
)
DEAD_LETTERS = Metric(
    name="stripeline_dead_letters_total",
    kind=Kind.COUNTER,
    meaning="Records put into the dead letters, by service and reason.",
    labels=("service", "reason"),
)
DEAD_LETTERS_OPEN = Metric(
    name="stripeline_sink_dead_letters_open",
    kind=Kind.GAUGE,
    meaning="Dead letters of the sink that nobody has retried or discarded, by topic and reason.",
    labels=("topic", "reason"),
)
SINK_CONSUMED = Metric(
    name="stripeline_sink_consumed_total",
    kind=Kind.COUNTER,
    meaning="Changes read from object topics, by object.",
    labels=("object",),
)
SINK_WRITTEN = Metric(
    name="stripeline_sink_written_total",
    kind=Kind.COUNTER,
    meaning="Rows inserted or updated, by object.",
    labels=("object",),
)
SINK_BATCH_RECORDS = Metric(
    name="stripeline_sink_batch_records",
    kind=Kind.HISTOGRAM,
    meaning="Changes in one sink transaction.",
    buckets=BATCH_RECORDS,
)
SINK_UPSERT_SECONDS = Metric(
    name="stripeline_sink_upsert_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Seconds of one sink transaction, from its first statement to its commit.",
)
SINK_LAG_RECORDS = Metric(
    name="stripeline_sink_lag_records",
    kind=Kind.GAUGE,
    meaning="Changes not yet in Postgres, by topic.",
    labels=("topic",),
)
SINK_LAG_SECONDS = Metric(
    name="stripeline_sink_lag_seconds",
    kind=Kind.GAUGE,
    meaning="Seconds between arrival in the inbox and the row's commit, of the last batch.",
)
SINK_PAUSED = Metric(
    name="stripeline_sink_paused",
    kind=Kind.GAUGE,
    meaning="1 while the sink waits for Postgres, otherwise 0.",
)

CATALOGUE: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)


class Meters:
    """The live values of the catalogue's metrics, in one Prometheus registry.

    A series is looked up once per label set; `add`, `set_to` and `observe` are cheap enough for
    each batch, not for each field.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._families: dict[str, Counter | Gauge | Histogram] = {}

    def add(self, metric: Metric, amount: float = 1, /, **labels: str) -> None:
        """Count `amount` more."""
        family = self._family(metric)
        assert isinstance(family, Counter)
        (family.labels(**labels) if labels else family).inc(amount)

    def set_to(self, metric: Metric, value: float, /, **labels: str) -> None:
        """Let the gauge show `value`."""
        family = self._family(metric)
        assert isinstance(family, Gauge)
        (family.labels(**labels) if labels else family).set(value)

    def drop(self, metric: Metric, /, **labels: str) -> None:
        """Show a series no more that was shown before."""
        self._family(metric).remove(*(labels[name] for name in metric.labels))

    def observe(self, metric: Metric, value: float, /, **labels: str) -> None:
        """Add one observation to the histogram."""
        family = self._family(metric)
        assert isinstance(family, Histogram)
        (family.labels(**labels) if labels else family).observe(value)

    def value(self, metric: Metric, /, **labels: str) -> float:
        """The current value of a counter or gauge series; 0 before its first use."""
        found = self.registry.get_sample_value(metric.name, labels)
        return 0.0 if found is None else found

    def _family(self, metric: Metric) -> Counter | Gauge | Histogram:
        family = self._families.get(metric.name)
        if family is None:
            family = self._families[metric.name] = self._made(metric)
        return family

    def _made(self, metric: Metric) -> Counter | Gauge | Histogram:
        match metric.kind:
            case Kind.COUNTER:
                return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)
            case Kind.GAUGE:
                return Gauge(metric.name, metric.meaning, metric.labels, registry=self.registry)
            case Kind.HISTOGRAM:
                return Histogram(
                    metric.name,
                    metric.meaning,
                    metric.labels,
                    registry=self.registry,
                    buckets=metric.buckets,
                )
            case _:
                assert_never(metric.kind)
