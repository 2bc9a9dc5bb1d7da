"""`stripeline producer reconcile`: reads the settings, wires a run, and says what it found."""

import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from producer.backfill_items import ItemReader
from producer.comparison import Comparison
from producer.connected_accounts import connected_accounts
from producer.durations import seconds_of
from producer.errors import RegistryAway
from producer.fingerprint import Fingerprints
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topic_reader import TopicReader
from producer.kafka_topics import Topics
from producer.object_topic import ObjectTopic
from producer.one_by_one import OneByOne
from producer.preparing import Preparer
from producer.rate_limit import RateLimiter
from producer.reconcile import Reconciler
from producer.reconcile_groups import groups, reconcilable, require_reconcilable
from producer.reconcile_lists import StripeLists
from producer.reconcile_report import Tally, exit_code, report_lines, report_table
from producer.reconcile_settings import ReconcileSettings
from producer.schedule import Schedule
from producer.stripe_api import StripeApi
from producer.topics import TopicLayout, chosen_objects
from runtime import logs
from runtime.clock import MICROS_PER_SECOND, SystemClock
from runtime.errors import ExitCode
from runtime.health import Health, HealthServer
from runtime.metrics import RECONCILE_SUCCEEDED_AT, Meters
from runtime.settings import load
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.errors import RegistryUnreachable
from schemas.objects import load_catalogue
from schemas.registry import Registry
from schemas.topics import Names

SERVICE: Final = "producer-reconcile"


def run(*, objects: Sequence[str], connected: bool, dry_run: bool, every: str) -> ExitCode:
    """Reconcile once, or again and again until SIGTERM or SIGINT.

    Args:
        objects: names of object types; all that are stored if there are none.
        connected: whether the connected accounts are compared as well.
        dry_run: whether what differs is only told.
        every: a duration; empty for one run.

    Raises:
        WrongSetting: a setting or a name cannot be used.
        KafkaUnreachable, RegistryAway: it was not there; of a single run only.
    """
    every_seconds = seconds_of(every, option="--every") if every else 0.0
    settings = load(ReconcileSettings)
    logs.configure(service=SERVICE)
    stop = Stop()
    stop.install()
    reconciling = _Reconciling(settings, objects, connected=connected, dry_run=dry_run, stop=stop)
    try:
        if not every:
            return _told(reconciling.once(), dry_run=dry_run)
        _serve(settings, reconciling, every_seconds=every_seconds, stop=stop)
        return ExitCode.OK
    finally:
        reconciling.close()


def _told(tallies: Sequence[Tally], *, dry_run: bool) -> ExitCode:
    console = Console()
    if console.is_terminal:
        console.print(report_table(tallies, dry_run=dry_run))
    else:
        for line in report_lines(tallies):
            sys.stdout.write(f"{line}\n")
    return exit_code(tallies)


def _serve(
    settings: ReconcileSettings, reconciling: "_Reconciling", *, every_seconds: float, stop: Stop
) -> None:
    clock = SystemClock()
    health = Health(clock=clock)
    server = HealthServer(
        health=health,
        registry=reconciling.meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    server.start()
    logs.logger("reconcile").info("listening", health_port=server.port)
    # An alert on its age must not begin with an age of decades.
    reconciling.meters.set_to(RECONCILE_SUCCEEDED_AT, clock.utc_micros() / MICROS_PER_SECOND)

    def work() -> None:
        tallies = reconciling.once()
        if exit_code(tallies) is not ExitCode.FAILED:
            now = clock.utc_micros() / MICROS_PER_SECOND
            reconciling.meters.set_to(RECONCILE_SUCCEEDED_AT, now)

    def doubt() -> str:
        if stop.requested:
            reconciling.limiter.stop()
        return ""

    try:
        Schedule(
            every_seconds=every_seconds,
            work=work,
            stop=stop,
            clock=clock,
            health=health,
            doubt=doubt,
        ).run()
    finally:
        server.stop()


class _Reconciling:
    """Everything that runs share."""

    def __init__(
        self,
        settings: ReconcileSettings,
        objects: Sequence[str],
        *,
        connected: bool,
        dry_run: bool,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._connected = connected
        self._stop = stop
        self._ways = load_ways()
        self._catalogue = load_catalogue()
        self._objects = self._chosen(objects)
        self._names = Names(namespace=settings.kafka_namespace)
        self._clock = SystemClock()
        self._preparer = Preparer(catalogue=self._catalogue)
        self._registry = Registry(settings.schema_registry_url)
        self.meters = Meters()
        self.limiter = RateLimiter(clock=self._clock, allowed=settings.allowed_rates())
        self._api = StripeApi(
            key=settings.stripe_api_key.get_secret_value(),
            base=settings.stripe_api_base,
            clock=self._clock,
            limiter=self.limiter,
        )
        self._reader = TopicReader(
            kafka=settings.kafka(), group=f"{self._names.namespace}-reconcile"
        )
        self._writer = (
            None if dry_run else InboxWriter(kafka=settings.kafka(), topic=self._names.inbox)
        )

    def once(self) -> list[Tally]:
        """One run.

        Raises:
            KafkaUnreachable, RegistryAway, StripeUnreachable: it was not there; run it again.
            StripeRefused: Stripe does not know the key, or does not show the connected accounts.
        """
        self._require_topics()
        accounts = ["", *(connected_accounts(self._api) if self._connected else ())]
        reconciler = Reconciler(
            comparison_of=lambda name: self._comparison(name, accounts),
            ways=self._ways,
            lists=StripeLists(
                api=self._api,
                limiter=self.limiter,
                items=ItemReader(catalogue=self._catalogue),
                ways=self._ways,
                watched=lambda _tally: None,
                clock=self._clock,
                stop=self._stop,
            ),
            one_by_one=OneByOne(retriever=self._api, ways=self._ways, stop=self._stop),
            inbox=self._writer,
            settle_seconds=self._settings.reconcile_settle_seconds,
            clock=self._clock,
            stop=self._stop,
            meters=self.meters,
        )
        try:
            return reconciler.run(groups(self._objects, self._ways), accounts)
        except RegistryUnreachable as error:
            raise RegistryAway(str(error)) from error

    def close(self) -> None:
        """Give everything back."""
        self.limiter.stop()
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        self._registry.close()

    def _chosen(self, objects: Sequence[str]) -> tuple[str, ...]:
        known = self._catalogue.names()
        if objects:
            named = chosen_objects(",".join(objects), known=known)
            require_reconcilable(named, self._ways)
            return named
        return reconcilable(chosen_objects(self._settings.objects, known=known), self._ways)

    def _require_topics(self) -> None:
        """Make the inbox and the topics, or find them as they should be."""
        layout = TopicLayout(
            names=self._names,
            partitions=self._settings.topic_partitions,
            replication_factor=self._settings.topic_replication_factor,
        )
        Topics(kafka=self._settings.kafka(), layout=layout).ensure_streams()

    def _comparison(self, object_name: str, accounts: Sequence[str]) -> Comparison:
        tools = self._preparer.tools(object_name)
        return Comparison(
            object_type=tools.object_type,
            accounts=accounts,
            topic=ObjectTopic(records=self._reader, topic=self._names.object_topic(object_name)),
            preparer=self._preparer,
            fingerprints=Fingerprints(tools=tools, registry=self._registry),
            api_version=self._catalogue.api_version,
            livemode=bool(self._settings.livemode),
            tally=Tally(object_name=object_name, untold=self._ways[object_name].untold),
            clock=self._clock,
        )
