"""`stripeline producer run`: checks the settings of all parts and tends their processes."""

from producer.durations import seconds_of
from producer.part import Part, PartPlan
from producer.parts_metrics import PartsMetrics
from producer.poll_settings import PollSettings
from producer.process_group import ProcessGroup
from producer.reconcile_settings import ReconcileSettings
from producer.relay_settings import RelaySettings
from producer.settings import WebhookSettings
from runtime import logs
from runtime.clock import SystemClock
from runtime.health import Health, HealthServer
from runtime.metrics import Meters
from runtime.settings import Settings, load
from runtime.stop import Stop

SETTINGS = (WebhookSettings, RelaySettings, PollSettings, ReconcileSettings)


def run(*, connected: bool, reconcile_every: str) -> None:
    """Tend all parts until SIGTERM or SIGINT.

    Args:
        connected: whether connected accounts are polled and reconciled as well.
        reconcile_every: a duration, `24h`.

    Raises:
        WrongSetting: a setting of any part cannot be used; nothing was started.
    """
    seconds_of(reconcile_every, option="--reconcile-every")
    for kind in SETTINGS:
        load(kind)
    load(PollSettings).require_overlap(connected=connected)
    settings = load(Settings)
    logs.configure(service="producer-run")
    stop = Stop()
    stop.install()
    clock = SystemClock()
    health = Health(clock=clock)
    meters = Meters()
    plans = _plans(connected=connected, reconcile_every=reconcile_every)
    parts = [Part(plan, clock=clock) for plan in plans]
    meters.registry.register(PartsMetrics({part.name: part.metrics for part in parts}))
    server = HealthServer(
        health=health,
        registry=meters.registry,
        host=settings.health_host,
        port=settings.health_port,
    )
    server.start()
    logs.logger("run").info("tending", health_port=server.port)
    try:
        ProcessGroup(parts, stop=stop, health=health, meters=meters).run()
    finally:
        server.stop()


def _plans(*, connected: bool, reconcile_every: str) -> tuple[PartPlan, ...]:
    """In the order in which they are stopped: what takes in first, the relay last."""
    accounts = ("--connected",) if connected else ()
    return (
        PartPlan(name="webhook", arguments=("producer", "webhook")),
        PartPlan(name="poll", arguments=("producer", "poll", *accounts)),
        PartPlan(
            name="reconcile",
            arguments=("producer", "reconcile", "--every", reconcile_every, *accounts),
        ),
        PartPlan(name="relay", arguments=("producer", "relay")),
    )
