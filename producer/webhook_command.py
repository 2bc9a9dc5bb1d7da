"""`stripeline producer webhook`: reads the settings and wires the service."""

import uvloop

from producer.entrances import (
    CLOUD_EVENT_JSON,
    EVENT_GRID_PATH,
    EVENTBRIDGE_PATH,
    JSON,
    PATH,
    THIN_PATH,
    Entrance,
    KeyedEntrance,
    SignedEntrance,
)
from producer.envelopes import from_event_grid, from_eventbridge
from producer.kafka_inbox import Inbox
from producer.kafka_topics import Topics
from producer.routing import Router
from producer.settings import WebhookSettings
from producer.signature import SignatureCheck
from producer.topics import TopicLayout
from producer.webhook import Webhook
from producer.webhook_service import WebhookService, listen
from runtime import logs
from runtime.clock import Clock, SystemClock
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.settings import load
from runtime.stop import Stop
from schemas.objects import load_catalogue
from schemas.topics import Names


def run() -> None:
    """Serve until SIGTERM or SIGINT."""
    settings = load(WebhookSettings)
    logs.configure(service="producer-webhook")
    stop = Stop()
    stop.install()
    listening = listen(host=settings.webhook_host, port=settings.webhook_port)
    health = Health(clock=SystemClock())
    meters = Meters()
    service = _service(settings, health=health, meters=meters, stop=stop)
    health_server = HealthServer(
        health=health,
        registry=meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    health_server.start()
    logs.logger("webhook").info(
        "listening",
        host=settings.webhook_host,
        port=listening.getsockname()[1],
        health_port=health_server.port,
    )
    try:
        uvloop.run(service.run(listening))
    finally:
        health_server.stop()


def _service(
    settings: WebhookSettings, *, health: Health, meters: Meters, stop: Stop
) -> WebhookService:
    clock = SystemClock()
    names = Names(namespace=settings.kafka_namespace)
    inbox = Inbox(
        kafka=settings.kafka(),
        topic=names.inbox,
        clock=clock,
        queue_events_max=settings.webhook_queue_events_max,
        acknowledge_seconds_max=settings.webhook_acknowledge_seconds_max,
    )
    return WebhookService(
        webhook=Webhook(
            inbox=inbox,
            entrances=_entrances(settings, clock),
            router=Router(catalogue=load_catalogue()),
            livemode=settings.livemode,
            clock=clock,
            meters=meters,
        ),
        inbox=inbox,
        topics=Topics(
            kafka=settings.kafka(),
            layout=TopicLayout(
                names=names,
                partitions=settings.topic_partitions,
                replication_factor=settings.topic_replication_factor,
            ),
        ),
        health=health,
        meters=meters,
        stop=stop,
        answer_seconds_max=settings.webhook_acknowledge_seconds_max,
    )


def _entrances(settings: WebhookSettings, clock: Clock) -> dict[str, Entrance]:
    """The addresses; an event bus's only where its key is set."""
    found: dict[str, Entrance] = {
        PATH: SignedEntrance(SignatureCheck(secrets=settings.secrets, clock=clock)),
        THIN_PATH: SignedEntrance(SignatureCheck(secrets=settings.thin_secrets, clock=clock)),
    }
    if key := settings.webhook_eventbridge_key.get_secret_value():
        found[EVENTBRIDGE_PATH] = KeyedEntrance(
            key=key,
            unwrap=from_eventbridge,
            content_types=frozenset({JSON}),
            may_ask=False,
        )
    if key := settings.webhook_event_grid_key.get_secret_value():
        found[EVENT_GRID_PATH] = KeyedEntrance(
            key=key,
            unwrap=from_event_grid,
            content_types=frozenset({JSON, CLOUD_EVENT_JSON}),
            may_ask=True,
        )
    return found
