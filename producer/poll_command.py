"""`stripeline producer poll`: reads the settings and wires the poller."""

from functools import partial
from typing import Final

from producer.backfill_command import backfill_of
from producer.connected_accounts import OWN, CurrentAccounts
from producer.errors import StripeRefused
from producer.event_list import EventList
from producer.kafka_cursors import Cursors
from producer.kafka_inbox_writer import InboxWriter
from producer.kafka_topics import Topics
from producer.poll_settings import PollSettings
from producer.poller import Poller
from producer.rate_limit import RateLimiter
from producer.routing import Router
from producer.schedule import Schedule
from producer.stripe_api import StripeApi
from producer.topics import TopicLayout
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.errors import WrongSetting
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.retry import Backoff
from runtime.settings import load
from runtime.stop import Stop
from schemas.objects import load_catalogue
from schemas.topics import Names

AGAIN: Final = Backoff(first_seconds=1.0, factor=2.0, pause_seconds_max=30.0)
BACKFILL_STOP_SECONDS_MAX: Final = 2.0
"""What it has put is flushed and its cursor stored; one that takes longer is read again."""


def run(*, connected: bool) -> None:
    """Poll until SIGTERM or SIGINT.

    Args:
        connected: whether the connected accounts are polled as well.

    Raises:
        WrongSetting: a setting cannot be used.
    """
    settings = load(PollSettings)
    settings.require_overlap(connected=connected)
    logs.configure(service="producer-poll")
    stop = Stop()
    stop.install()
    clock = SystemClock()
    health = Health(clock=clock)
    meters = Meters()
    server = HealthServer(
        health=health,
        registry=meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    server.start()
    logs.logger("poll").info("listening", health_port=server.port)
    limiter = RateLimiter(clock=clock, allowed=settings.allowed_rates())
    names = Names(namespace=settings.kafka_namespace)
    writer = InboxWriter(kafka=settings.kafka(), topic=names.inbox)
    cursors = Cursors(kafka=settings.kafka(), topic=names.cursors)
    topics = _Topics(settings, names)
    poller = _poller(
        settings,
        connected=connected,
        limiter=limiter,
        writer=writer,
        cursors=cursors,
        clock=clock,
        meters=meters,
        stop=stop,
    )

    def doubt() -> str:
        if stop.requested:
            limiter.stop()
        poller.show_lag()
        return poller.doubt

    try:
        Schedule(
            every_seconds=settings.poll_interval_seconds,
            work=partial(_work, topics, poller),
            stop=stop,
            clock=clock,
            health=health,
            doubt=doubt,
            again=AGAIN,
        ).run()
    finally:
        limiter.stop()
        poller.await_backfills(seconds_max=BACKFILL_STOP_SECONDS_MAX)
        writer.close()
        cursors.close()
        server.stop()
        logs.logger("poll").info("stopped")


def _work(topics: "_Topics", poller: Poller) -> None:
    topics.ensure()
    try:
        poller.poll()
    except StripeRefused as refused:
        raise WrongSetting(
            f"STRIPE_API_KEY: Stripe refuses to show events ({refused.reason}). "
            f"{refused.said} A restricted key needs read access to events, and with "
            "--connected to accounts. Example: STRIPE_API_KEY=rk_live_..."
        ) from refused


def _poller(
    settings: PollSettings,
    *,
    connected: bool,
    limiter: RateLimiter,
    writer: InboxWriter,
    cursors: Cursors,
    clock: Clock,
    meters: Meters,
    stop: Stop,
) -> Poller:
    api = StripeApi(
        key=settings.stripe_api_key.get_secret_value(),
        base=settings.stripe_api_base,
        clock=clock,
        limiter=limiter,
    )
    return Poller(
        events=EventList(api=api, may_go_on=lambda: not stop.requested),
        accounts=CurrentAccounts(api, clock=clock) if connected else lambda: (OWN,),
        writer=writer,
        cursors=cursors,
        router=Router(catalogue=load_catalogue()),
        livemode=settings.livemode,
        overlap_seconds=settings.poll_overlap_seconds,
        backfill=backfill_of(
            settings, api=api, limiter=limiter, meters=meters, clock=clock, stop=stop
        ),
        clock=clock,
        meters=meters,
    )


class _Topics:
    """Makes the inbox and the cursors' topic before the first round."""

    def __init__(self, settings: PollSettings, names: Names) -> None:
        self._topics = Topics(
            kafka=settings.kafka(),
            layout=TopicLayout(
                names=names,
                partitions=settings.topic_partitions,
                replication_factor=settings.topic_replication_factor,
            ),
        )
        self._made = False

    def ensure(self) -> None:
        if not self._made:
            self._topics.ensure_streams()
            self._made = True
