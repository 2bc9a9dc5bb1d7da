"""`stripeline producer backfill`: reads the settings, wires the run and tells what came of it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from producer.asking import Asking
from producer.backfill import Backfill
from producer.backfill_items import ItemReader
from producer.backfill_plan import plan_for, require_listed, ways_in_mode, with_age
from producer.backfill_progress import Bars, Lines, Shown
from producer.backfill_questions import Asked
from producer.backfill_report import Tally
from producer.backfill_scope import GAP, Scope
from producer.backfill_settings import BackfillSettings
from producer.connected_accounts import connected_accounts
from producer.errors import (
    KafkaUnreachable,
    LimiterStopped,
    NotAllStored,
    StripeRefused,
    StripeUnreachable,
    Unfinished,
)
from producer.event_list import EventList
from producer.hand_over import take_cursors
from producer.kafka_cursors import Cursors
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topics import Topics
from producer.rate_limit import RateLimiter
from producer.settings import ProducerSettings
from producer.stripe_api import StripeApi
from producer.topics import TopicLayout, chosen_objects
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.errors import WrongSetting
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.retry import Backoff
from runtime.settings import load
from runtime.stop import Stop
from schemas.endpoints import load_ways
from schemas.objects import load_catalogue
from schemas.topics import Names

REQUESTS_AT_ONCE: Final = 64
"""At Stripe's 100 a second, each may take more than half a second."""
ANSWER_SECONDS: Final = 0.5
KAFKA_ATTEMPTS_MAX: Final = 5
AGAIN: Final = Backoff(first_seconds=1.0, factor=2.0, pause_seconds_max=30.0)
SELECTION_CHARACTERS_MAX: Final = 80
GOES_ON: Final = "What was read is stored; the same command goes on from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a run is asked for.

    Attributes:
        objects: names; empty for every type.
        since: `created` of the oldest object; none for no limit.
        until: of the first one that is not wanted.
        connected: whether connected accounts are read as well.
    """

    objects: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    connected: bool = False

    def scope(self, *, livemode: bool | None, selection: str = "all") -> Scope:
        """As the run takes it.

        Args:
            livemode: of the key.
            selection: names every type in the cursor's key.

        Raises:
            WrongSetting: an object is not known, or Stripe does not list it.
        """
        known, ways = load_catalogue().names(), ways_in_mode(load_ways(), livemode=livemode)
        if self.objects:
            names = chosen_objects(",".join(self.objects), known=known)
            require_listed(names, ways)
        else:
            names = known
        return Scope(
            selection=_selection(names) if self.objects else selection,
            plan=with_age(plan_for(names, ways)),
            since=_second(self.since),
            until=_second(self.until),
        )


def run(wanted: Wanted) -> None:
    """Backfill until all is read, or until SIGTERM or SIGINT.

    Raises:
        Unfinished: it was stopped; the same command goes on.
        NotAllStored: it came to its end without some objects.
    """
    settings = load(BackfillSettings)
    logs.configure(service="producer-backfill")
    scope = wanted.scope(livemode=settings.livemode)
    stop = Stop()
    stop.install()
    clock = SystemClock()
    meters = Meters()
    tally = Tally()
    console = Console()
    limiter = RateLimiter(clock=clock, allowed=settings.allowed_rates())
    api = _api(settings, clock=clock, limiter=limiter)
    began = clock.monotonic_seconds()
    shown = _shown(console, tally=tally, clock=clock)
    try:
        with _metrics_served(settings, clock=clock, meters=meters):
            accounts = ("", *_connected(api, stop)) if wanted.connected else ("",)
            done = backfill(
                settings,
                scope=scope,
                accounts=accounts,
                api=api,
                limiter=limiter,
                tally=tally,
                meters=meters,
                shown=shown.show,
                clock=clock,
                stop=stop,
            )
    except StripeRefused as error:
        raise WrongSetting(f"STRIPE_API_KEY: Stripe refuses it: {error.said}") from error
    except StripeUnreachable as error:
        raise StripeUnreachable(f"{error} {GOES_ON}") from error
    finally:
        limiter.stop()
        shown.close()
        console.print(tally.table(seconds=clock.monotonic_seconds() - began))
    if not done:
        raise Unfinished(f"Stopped before the end. {GOES_ON}")
    if tally.too_large:
        raise NotAllStored(
            f"All is read, and {tally.too_large} objects are not stored: each is larger than an "
            "inbox record may be. The table names their types."
        )


def backfill(
    settings: ProducerSettings,
    *,
    scope: Scope,
    accounts: Sequence[str],
    api: StripeApi,
    limiter: RateLimiter,
    tally: Tally,
    meters: Meters,
    shown: Callable[[], None],
    clock: Clock,
    stop: Stop,
) -> bool:
    """Read what is wanted of these accounts into the inbox; whether all of it is done.

    An outage of Kafka is waited for, and reading goes on from the cursors.

    Raises:
        StripeUnreachable: Stripe did not answer for minutes; what was read is stored.
        StripeRefused: the key is wrong.
        KafkaUnreachable: Kafka is away for good.
    """
    names = Names(namespace=settings.kafka_namespace)
    topics = _topics(settings, names)
    events = EventList(api=api, may_go_on=lambda: not stop.requested)
    ways = load_ways()
    owned = frozenset(
        child.object_name for way in ways.values() for child in way.children if child.owned
    )
    attempt = 0
    while True:
        writer = InboxWriter(kafka=settings.kafka(), topic=names.inbox)
        cursors = Cursors(kafka=settings.kafka(), topic=names.cursors)
        asking: Asking[Asked] = Asking(threads=REQUESTS_AT_ONCE, stop=stop)
        rows = tally.rows
        try:
            topics.ensure_streams()
            take_cursors(accounts, events=events, cursors=cursors, stop=stop)
            return Backfill(
                scope=scope,
                api=api,
                limiter=limiter,
                asking=asking,
                inbox=writer,
                cursors=cursors,
                items=ItemReader(catalogue=load_catalogue()),
                owned=owned,
                tally=tally,
                meters=meters,
                shown=shown,
                clock=clock,
                stop=stop,
            ).run(accounts)
        except KafkaUnreachable as error:
            attempt = 1 if tally.rows > rows else attempt + 1
            if attempt >= KAFKA_ATTEMPTS_MAX or stop.requested:
                raise
            logs.logger("backfill").warning(
                "kafka unreachable", attempt=attempt, reason=str(error)
            )
            stop.wait(seconds=AGAIN.pause_seconds(attempt=attempt, jitter=0.0))
        finally:
            asking.close()
            writer.close()
            cursors.close()


def backfill_of(
    settings: ProducerSettings,
    *,
    api: StripeApi,
    limiter: RateLimiter,
    meters: Meters,
    clock: Clock,
    stop: Stop,
) -> Callable[[str], None]:
    """A backfill of one account's every list, for a service that found that it is due.

    The function given back takes the account's id and raises what `backfill` raises, and
    `LimiterStopped` where the service was stopped before the end.
    """

    def backfill_account(account_id: str) -> None:
        tally = Tally()
        done = backfill(
            settings,
            # With a cursor of its own: what an operator's run of some other time has read is no
            # proof that nothing of it changed in the gap.
            scope=Wanted().scope(livemode=settings.livemode, selection=GAP),
            accounts=(account_id,),
            api=api,
            limiter=limiter,
            tally=tally,
            meters=meters,
            shown=lambda: None,
            clock=clock,
            stop=stop,
        )
        if not done:
            raise LimiterStopped("Stopped before the end of the backfill.")
        _tell_left_out(account_id, tally)

    return backfill_account


def _tell_left_out(account_id: str, tally: Tally) -> None:
    for name, found in tally.objects.items():
        lists = sum((*found.skipped.values(), *found.refused.values()))
        if lists or found.too_large:
            logs.logger("backfill").warning(
                "not everything was read",
                account=account_id,
                object=name,
                lists=lists,
                too_large=found.too_large,
            )


def _api(settings: BackfillSettings, *, clock: Clock, limiter: RateLimiter) -> StripeApi:
    return StripeApi(
        key=settings.stripe_api_key.get_secret_value(),
        base=settings.stripe_api_base,
        clock=clock,
        limiter=limiter,
    )


def _connected(api: StripeApi, stop: Stop) -> list[str]:
    """The ids of the connected accounts.

    Raises:
        StripeUnreachable: Stripe did not answer for minutes.
        StripeRefused: the key may not read them, or the account is no platform.
    """
    asking: Asking[None] = Asking(threads=1, stop=stop)
    try:
        asking.ask(None, lambda: list(connected_accounts(api)))
        while (answer := asking.answer(seconds_max=ANSWER_SECONDS)) is None:
            if stop.requested:
                return []
    finally:
        asking.close()
    if answer.error is not None:
        raise answer.error
    found: list[str] = answer.found
    return found


def _topics(settings: ProducerSettings, names: Names) -> Topics:
    return Topics(
        kafka=settings.kafka(),
        layout=TopicLayout(
            names=names,
            partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
        ),
    )


def _shown(console: Console, *, tally: Tally, clock: Clock) -> Shown:
    if console.is_terminal:
        return Bars(tally=tally, console=console, clock=clock)
    return Lines(tally=tally, print_line=console.print, clock=clock)


@contextmanager
def _metrics_served(settings: BackfillSettings, *, clock: Clock, meters: Meters) -> Iterator[None]:
    """Serve the metrics where a port was set: the default one is a service's on this machine."""
    if "health_port" not in settings.model_fields_set:
        yield
        return
    health = Health(clock=clock)
    server = HealthServer(
        health=health,
        registry=meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    server.start()
    health.mark_ready()
    try:
        yield
    finally:
        server.stop()


def _second(at: datetime | None) -> int | None:
    return None if at is None else int(at.replace(tzinfo=at.tzinfo or UTC).timestamp())


def _selection(names: Sequence[str]) -> str:
    """Names the chosen types in a cursor's key, in whatever order they were given."""
    told = ",".join(sorted(names))
    if len(told) <= SELECTION_CHARACTERS_MAX:
        return told
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
