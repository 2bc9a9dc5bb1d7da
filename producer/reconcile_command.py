"""`stripeline producer reconcile`: reads the settings, wires a run, and says what it found."""

import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from producer.durations import seconds_of
from producer.reconcile_report import Tally, exit_code, report_lines, report_table
from producer.reconcile_run import Reconciling
from producer.reconcile_settings import ReconcileSettings
from producer.reconcile_turns import Turns
from producer.schedule import Schedule
from runtime import logs
from runtime.clock import SystemClock
from runtime.errors import ExitCode
from runtime.health import Health, HealthServer
from runtime.settings import load
from runtime.stop import Stop

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
    reconciling = Reconciling(
        settings,
        objects,
        connected=connected,
        dry_run=dry_run,
        watched=not every,
        clock=SystemClock(),
        stop=stop,
    )
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
    settings: ReconcileSettings, reconciling: Reconciling, *, every_seconds: float, stop: Stop
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
    turns = Turns(reconciling, every_seconds=every_seconds, clock=clock, meters=reconciling.meters)

    def doubt() -> str:
        if stop.requested:
            reconciling.limiter.stop()
        return ""

    try:
        Schedule(
            every_seconds=turns.pause_seconds,
            work=turns.work,
            stop=stop,
            clock=clock,
            health=health,
            doubt=doubt,
        ).run()
    finally:
        server.stop()
