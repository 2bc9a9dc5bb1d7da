"""Wires a reconcile: everything that its runs share, and one run after the other."""

from collections.abc import Sequence

from rich.console import Console

from producer.backfill_items import ItemReader
from producer.backfill_plan import ways_in_mode
from producer.backfill_progress import Bars, Lines, Shown
from producer.backfill_report import Tally as ReadTally
from producer.comparison import Comparison
from producer.connected_accounts import connected_accounts
from producer.errors import RegistryAway, SchemaNotRegistered, StripeRefused
from producer.fingerprint import Fingerprints
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topic_reader import TopicReader
from producer.kafka_topics import Topics
from producer.known_children import KnownChildren, list_apart
from producer.object_topic import ObjectTopic
from producer.one_by_one import OneByOne
from producer.preparing import Preparer
from producer.rate_limit import RateLimiter
from producer.reconcile import Reconciler, Scope
from producer.reconcile_groups import groups, often, reconcilable, require_reconcilable
from producer.reconcile_lists import StripeLists
from producer.reconcile_report import Tally
from producer.reconcile_settings import ReconcileSettings
from producer.stripe_api import StripeApi
from producer.topics import TopicLayout, chosen_objects
from runtime import logs
from runtime.clock import Clock
from runtime.errors import WrongSetting
from runtime.metrics import Meters
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.errors import RegistryUnreachable, SchemaRefused
from schemas.objects import load_catalogue
from schemas.registry import Registry
from schemas.topics import Names


class Reconciling:
    """Everything that runs share.

    Args:
        objects: names of object types; all that are stored if there are none.
        connected: whether the connected accounts are compared as well.
        dry_run: whether what differs is only told.
        watched: whether somebody looks at the terminal, if there is one.

    Raises:
        WrongSetting: a name cannot be used.
    """

    def __init__(
        self,
        settings: ReconcileSettings,
        objects: Sequence[str],
        *,
        connected: bool,
        dry_run: bool,
        watched: bool,
        clock: Clock,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._watched = watched
        self._log = logs.logger("reconcile")
        self._connected = connected
        self._stop = stop
        self._ways = ways_in_mode(load_ways(), livemode=settings.livemode)
        self._catalogue = load_catalogue()
        self._objects = self._chosen(objects)
        self._names = Names(namespace=settings.kafka_namespace)
        self._clock = clock
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
        self._topics = Topics(
            kafka=settings.kafka(),
            layout=TopicLayout(
                names=self._names,
                partitions=settings.topic_partitions,
                replication_factor=settings.topic_replication_factor,
            ),
        )
        self._reader = TopicReader(
            kafka=settings.kafka(), group=f"{self._names.namespace}-reconcile"
        )
        self._writer = (
            None if dry_run else InboxWriter(kafka=settings.kafka(), topic=self._names.inbox)
        )

    def once(self) -> list[Tally]:
        """Compare everything that was chosen.

        Raises:
            KafkaUnreachable, RegistryAway, StripeUnreachable: it was not there; run it again.
            WrongSetting: Stripe does not know the key, or does not show it the accounts.
            ForeignRecord, SchemaNotRegistered: a topic holds what no relay wrote.
        """
        return self._run(self._objects, since=None)

    def glance(self, *, since: int) -> None:
        """Look at what was created since then, of the types that change without events.

        Raises:
            KafkaUnreachable, RegistryAway, StripeUnreachable: it was not there; run it again.
            WrongSetting: Stripe does not know the key, or does not show it the accounts.
            ForeignRecord, SchemaNotRegistered: a topic holds what no relay wrote.
        """
        self._run(often(self._objects, self._ways), since=since)

    def _run(self, objects: Sequence[str], *, since: int | None) -> list[Tally]:
        if self._writer is not None:
            self._topics.ensure_streams()
        tally = ReadTally()
        shown = self._shown(tally)
        try:
            scope = Scope(
                groups=groups(objects, self._ways),
                accounts=("", *(connected_accounts(self._api) if self._connected else ())),
                since=since,
            )
            return self._reconciler(scope, tally, shown).run(scope)
        except StripeRefused as error:
            raise WrongSetting(
                f"STRIPE_API_KEY: Stripe refuses it ({error.reason}): {error.said} Give a key "
                "that may read what is compared."
            ) from error
        except RegistryUnreachable as error:
            raise RegistryAway(str(error)) from error
        except SchemaRefused as error:
            raise SchemaNotRegistered(str(error)) from error
        finally:
            shown.close()

    def _reconciler(self, scope: Scope, tally: ReadTally, shown: Shown) -> Reconciler:
        return Reconciler(
            comparison_of=lambda name: self._comparison(name, scope.accounts),
            ways=self._ways,
            lists=StripeLists(
                api=self._api,
                limiter=self.limiter,
                items=ItemReader(catalogue=self._catalogue),
                ways=self._ways,
                tally=tally,
                shown=shown.show,
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

    def _shown(self, tally: ReadTally) -> Shown:
        """Bars on a terminal, lines of the log elsewhere: what was found goes to neither."""
        console = Console(stderr=True)
        if console.is_terminal and self._watched:
            return Bars(tally=tally, console=console, clock=self._clock)

        def print_line(line: str) -> None:
            self._log.info("reading", read=line)

        return Lines(tally=tally, print_line=print_line, clock=self._clock)

    def close(self) -> None:
        """Give everything back."""
        self.limiter.stop()
        if self._writer is not None:
            self._writer.close()
        self._registry.close()

    def _chosen(self, objects: Sequence[str]) -> tuple[str, ...]:
        known = self._catalogue.names()
        if objects:
            named = chosen_objects(",".join(objects), known=known)
            require_reconcilable(named, self._ways)
            return named
        return reconcilable(chosen_objects(self._settings.objects, known=known), self._ways)

    def _comparison(self, object_name: str, accounts: Sequence[str]) -> Comparison:
        tools = self._preparer.tools(object_name)
        return Comparison(
            object_type=tools.object_type,
            ways=self._ways[object_name],
            accounts=accounts,
            topic=self._topic(object_name),
            children=self._children(object_name),
            preparer=self._preparer,
            fingerprints=Fingerprints(tools=tools, registry=self._registry),
            api_version=self._catalogue.api_version,
            livemode=bool(self._settings.livemode),
            tally=Tally(object_name=object_name, untold=self._ways[object_name].untold),
            clock=self._clock,
        )

    def _children(self, object_name: str) -> KnownChildren | None:
        apart = list_apart(self._ways[object_name])
        if apart is None:
            return None
        field, child = apart
        return KnownChildren(topic=self._topic(child), field=field)

    def _topic(self, object_name: str) -> ObjectTopic:
        topic = self._names.object_topic(object_name)
        return ObjectTopic(records=self._reader, topic=topic)
