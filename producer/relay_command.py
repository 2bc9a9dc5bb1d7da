"""`stripeline producer relay`: reads the settings and wires the service."""

import sqlite3

from producer import compiled
from producer.deciding import Decider
from producer.errors import KafkaUnreachable, MemoryUnusable
from producer.families import Families
from producer.kafka_changelog import Changelog
from producer.kafka_relay_consumer import InboxConsumer
from producer.kafka_relay_producer import TransactionalProducer
from producer.kafka_topics import Topics
from producer.looking_back import LookingBack
from producer.portions import Portions
from producer.preparing import Preparer
from producer.publishing import Publisher
from producer.rate_limit import RateLimiter
from producer.refetch import Refetcher
from producer.relay import Relay
from producer.relay_lag import RelayLag
from producer.relay_meters import RelayMeters
from producer.relay_partitions import Partitions
from producer.relay_settings import RelaySettings
from producer.restore import Restorer
from producer.routing import Router
from producer.stripe_api import StripeApi
from producer.tie_desk import TieDesk
from producer.topics import TopicLayout, chosen_objects
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.retry import Backoff
from runtime.settings import load
from runtime.stop import Stop
from schemas.objects import Catalogue, load_catalogue
from schemas.registry import Registry
from schemas.topics import Names

MILLISECONDS_PER_SECOND = 1_000


def run() -> None:
    """Relay until SIGTERM or SIGINT."""
    settings = load(RelaySettings)
    logs.configure(service="producer-relay")
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
    logs.logger("relay").info(
        "listening", health_port=server.port, instance=settings.relay_instance
    )
    catalogue = load_catalogue()
    layout = TopicLayout(
        names=Names(namespace=settings.kafka_namespace),
        partitions=settings.topic_partitions,
        replication_factor=settings.topic_replication_factor,
    )
    topics = Topics(kafka=settings.kafka(), layout=layout)
    registry = Registry(settings.schema_registry_url)
    refetcher = _refetcher(settings, clock)
    try:
        wanted = chosen_objects(settings.objects, known=catalogue.names())
        if not _topics_made(topics, wanted, health=health, stop=stop):
            return
        if refetcher is not None:
            refetcher.start()
        relay = _relay(
            settings,
            names=layout.names,
            catalogue=catalogue,
            topics=topics,
            registry=registry,
            refetcher=refetcher,
            clock=clock,
            health=health,
            meters=meters,
        )
        if not compiled.IS_COMPILED:
            logs.logger("relay").warning("not compiled: each event takes twice the time")
        relay.run(stop)
    except sqlite3.Error as error:
        raise MemoryUnusable(
            f"The relay's memory in {settings.relay_memory_folder} cannot be used: {error}. Make "
            "room, or remove the folder: it is built anew from the object topics. "
            "Example: RELAY_MEMORY_FOLDER=/var/lib/stripeline"
        ) from error
    finally:
        if refetcher is not None:
            refetcher.stop()
        registry.close()
        server.stop()


def _refetcher(settings: RelaySettings, clock: Clock) -> Refetcher | None:
    key = settings.stripe_api_key.get_secret_value()
    if not key:
        return None
    return Refetcher(
        api=StripeApi(
            key=key,
            base=settings.stripe_api_base,
            clock=clock,
            limiter=RateLimiter(clock=clock, allowed=settings.allowed_rates()),
        ),
        clock=clock,
        per_second_max=settings.relay_refetches_per_second_max,
    )


def _topics_made(topics: Topics, objects: tuple[str, ...], *, health: Health, stop: Stop) -> bool:
    """Make the topics, waiting for Kafka as long as it takes; false if stopped before."""
    backoff = Backoff(first_seconds=0.5, factor=2.0, pause_seconds_max=5.0)
    attempt = 1
    while not stop.requested:
        health.beat()
        try:
            topics.ensure_streams()
            topics.ensure_objects(objects)
        except KafkaUnreachable as error:
            health.mark_unready(str(error))
            logs.logger("relay").warning("kafka unreachable", attempt=attempt)
            stop.wait(seconds=backoff.pause_seconds(attempt=attempt, jitter=0.0))
            attempt += 1
        else:
            return True
    return False


def _relay(
    settings: RelaySettings,
    *,
    names: Names,
    catalogue: Catalogue,
    topics: Topics,
    registry: Registry,
    refetcher: Refetcher | None,
    clock: Clock,
    health: Health,
    meters: Meters,
) -> Relay:
    kafka = settings.kafka()
    preparer = Preparer(catalogue=catalogue)
    changelog = Changelog(
        kafka=kafka,
        pattern=names.object_topic_pattern,
        group=f"{names.relay_group}-restore",
    )
    looking_back = LookingBack(
        changelog=changelog, registry=registry, preparer=preparer, names=names
    )
    consumer = InboxConsumer(kafka=kafka, topic=names.inbox, group=names.relay_group)
    relay_meters = RelayMeters(meters=meters)
    transactional_id = f"{names.relay_group}-{settings.relay_instance}"
    return Relay(
        names=names,
        consumer=consumer,
        make_producer=lambda: TransactionalProducer(
            kafka=kafka, transactional_id=transactional_id, clock=clock
        ),
        preparer=preparer,
        decider=Decider(
            last_half=looking_back.last_half,
            read_again=looking_back.observed,
            may_fetch=refetcher is not None,
        ),
        families=Families(
            children=preparer.children,
            last_halves=looking_back.last_halves,
            may_fetch=refetcher is not None,
        ),
        router=Router(catalogue=catalogue),
        publisher=Publisher(
            names=names,
            registry=registry,
            ensure_objects=topics.ensure_objects,
            preparer=preparer,
        ),
        partitions=Partitions(
            folder=settings.relay_memory_folder / names.namespace / settings.relay_instance,
            changelog=changelog,
            restorer=Restorer(changelog=changelog, names=names),
        ),
        ties=TieDesk(refetcher=refetcher, meters=meters),
        portions=Portions(
            records_max=settings.relay_batch_records_max,
            bytes_max=settings.relay_batch_bytes_max,
        ),
        linger_seconds=settings.relay_linger_milliseconds / MILLISECONDS_PER_SECOND,
        clock=clock,
        health=health,
        meters=relay_meters,
        lag=RelayLag(inbox=consumer, meters=relay_meters, clock=clock),
    )
