"""`stripeline simulator`: a Stripe of your own for tests and demonstrations."""

import typer

app = typer.Typer(add_completion=False, invoke_without_command=True)


@app.callback()
def simulator() -> None:
    """Serve a simulated Stripe until stopped: its API, its webhooks, and a clock you can move.

    Point Stripe's own library at it; any key that begins with sk_test_ will do:

    StripeClient("sk_test_any", base_addresses={"api": "http://127.0.0.1:12111"})

    Webhooks go to SIMULATOR_WEBHOOK_URL, signed with STRIPE_WEBHOOK_SECRET. Time is moved by
    POST /_simulator/clock with {"advance_seconds": 86400}. All settings: docs/settings.md.
    """
    from prometheus_client import CollectorRegistry

    from runtime import logs
    from runtime.clock import SystemClock
    from runtime.health import Health, HealthServer
    from runtime.settings import load
    from runtime.stop import Stop
    from simulator.server import Simulator
    from simulator.settings import SimulatorSettings
    from simulator.simulation import Options

    settings = load(SimulatorSettings)
    logs.configure(service="simulator")
    stop, clock = Stop(), SystemClock()
    stop.install()
    health = Health(clock=clock)
    probes = HealthServer(
        health=health,
        registry=CollectorRegistry(),
        host=settings.health_host,
        port=settings.health_port,
    )
    options = Options(
        host=settings.simulator_host,
        port=settings.simulator_port,
        webhook_url=settings.simulator_webhook_url,
        webhook_secrets=settings.webhook_secrets(),
        webhook_lanes=settings.simulator_webhook_lanes,
        webhook_retry_seconds=settings.simulator_webhook_retry_seconds,
        api_version=settings.simulator_api_version,
        requests_per_second=settings.simulator_requests_per_second or None,
        requests_per_second_per_endpoint=(
            settings.simulator_requests_per_second_per_endpoint or None
        ),
        seed=settings.simulator_seed,
        faults=settings.simulator_faults,
        livemode=settings.simulator_livemode,
    )
    with Simulator(options, clock=clock) as serving:
        probes.start()
        health.mark_ready()
        logs.logger("simulator").info(
            "listening",
            port=serving.port,
            health_port=probes.port,
            url=serving.url,
            webhook_url=options.webhook_url,
        )
        while serving.running and not stop.wait(seconds=1.0):
            health.beat()
    probes.stop()


if __name__ == "__main__":
    app()
