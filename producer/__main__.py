"""The producer's commands, each with its imports inside."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Stripe -> Kafka. `webhook` puts what Stripe sends into the inbox, `poll`, `backfill` and "
        "`reconcile` what it does not, `relay` publishes it in order on one topic per Stripe "
        "object. `run` is all of them."
    ),
)


@app.command()
def webhook() -> None:
    """Receive Stripe's webhooks and store each event in the inbox before answering 200.

    Point a webhook endpoint in Stripe's dashboard to `https://your-host/webhooks/stripe` and
    give its signing secret as `STRIPE_WEBHOOK_SECRET` (several, separated by commas, while one
    is being replaced). The inbox is made when it is missing; while Kafka is away requests are
    answered 503, and Stripe sends the events again for up to three days. Thin events are taken
    too, there or at `/webhooks/stripe/thin`; docs/operations.md tells of event buses.

    Example: `STRIPE_WEBHOOK_SECRET=whsec_... stripeline producer webhook`
    """
    from producer.webhook_command import run

    run()


@app.command()
def relay() -> None:
    """Publish the inbox on one topic per Stripe object: in order, whole, without duplicates.

    Any number of relays may run; they share the inbox's partitions. Each keeps a memory of
    what it published in `RELAY_MEMORY_FOLDER`, and builds it anew from the topics when lost.

    Example: `stripeline producer relay`
    """
    from producer.relay_command import run

    run()


@app.command()
def poll(
    connected: Annotated[  # noqa: FBT002 - typer makes an option of it
        bool, typer.Option("--connected", help="Poll the connected accounts as well.")
    ] = False,
) -> None:
    """Read Stripe's list of events again and again: what a webhook lost comes in here.

    Begins where it stood (`stripe-cursors`), the first time with now: what was there before is
    `stripeline producer backfill`'s. One at a time is enough; two do no harm. Where it was off
    for more than 30 days, events are gone: it says so and backfills by itself.

    Example: `STRIPE_API_KEY=rk_live_... stripeline producer poll`
    """
    from producer.poll_command import run

    run(connected=connected)


@app.command("run")
def everything(
    connected: Annotated[  # noqa: FBT002 - typer makes an option of it
        bool, typer.Option("--connected", help="Poll and reconcile connected accounts as well.")
    ] = False,
    reconcile_every: Annotated[
        str,
        typer.Option(
            "--reconcile-every",
            help="From the end of one reconcile to the beginning of the next.",
            metavar="DURATION",
        ),
    ] = "24h",
) -> None:
    """Run webhook, relay, poller and the reconcile schedule together, for small installations.

    Each is a process of its own, started again when it dies; all end with this one, however it
    ends. `/readyz` says which part is not ready, `/metrics` has the metrics of all.

    Example: `STRIPE_API_KEY=rk_live_... STRIPE_WEBHOOK_SECRET=whsec_... stripeline producer run`
    """
    from producer.run_command import run

    run(connected=connected, reconcile_every=reconcile_every)


@app.command()
def backfill(
    objects: Annotated[
        list[str] | None,
        typer.Argument(help="Types to read, as Stripe names them; all if none.", metavar="OBJECT"),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only objects created at this time (UTC) or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Only objects created before this time (UTC).")
    ] = None,
    connected: Annotated[  # noqa: FBT002 - typer makes an option of it
        bool, typer.Option("--connected", help="Read the connected accounts as well.")
    ] = False,
) -> None:
    """Read every object that Stripe lists into the inbox: fills the tables for the first time.

    Stopped or killed, the same command goes on where it stood; once it is done, it begins anew.
    It keeps below Stripe's limits and leaves a reserve for the other services. What the key may
    not read is skipped and told at the end. Start `poll` before it, so that nothing is missed in
    between. Exit code: 0 done, 3 Stripe or Kafka is away, 5 stopped before the end.

    Example: `STRIPE_API_KEY=rk_live_... stripeline producer backfill customer subscription`
    """
    from producer.backfill_command import Wanted, run

    run(Wanted(objects=tuple(objects or ()), since=since, until=until, connected=connected))


@app.command()
def reconcile(
    objects: Annotated[
        list[str] | None,
        typer.Argument(
            help="Object types, `customer invoice`; all that are stored if none is named.",
            metavar="OBJECT",
        ),
    ] = None,
    connected: Annotated[  # noqa: FBT002 - typer makes an option of it
        bool, typer.Option("--connected", help="Compare connected accounts as well.")
    ] = False,
    dry_run: Annotated[  # noqa: FBT002 - typer makes an option of it
        bool, typer.Option("--dry-run", help="Tell what differs, and write nothing.")
    ] = False,
    every: Annotated[
        str,
        typer.Option(
            "--every",
            help="Again and again, with this pause between two runs.",
            metavar="DURATION",
        ),
    ] = "",
) -> None:
    """Compare what was published with what Stripe lists, and publish what differs.

    Finds changes, creations and deletes that were missed, whatever was lost on the way, and names
    the columns that differed. Unchanged objects cost nothing downstream.

    Ends with 0 if nothing was missed, 4 if something was, 1 if not everything could be read.

    Example: `STRIPE_API_KEY=rk_live_... stripeline producer reconcile customer subscription`
    """
    from producer.reconcile_command import run

    code = run(objects=objects or (), connected=connected, dry_run=dry_run, every=every)
    raise typer.Exit(code)


@app.command()
def topics() -> None:
    """Make the topics that are missing, check those that exist, and show them all.

    The services do this at start; run it first where they may not make topics. `OBJECTS`
    chooses which Stripe objects get a topic now, `TOPIC_PARTITIONS` and
    `TOPIC_REPLICATION_FACTOR` how large. An existing topic is never changed: another number of
    partitions is an error, another setting is shown.

    Example: `OBJECTS=customer,subscription stripeline producer topics`
    """
    from producer.topics_command import run

    run()


@app.command()
def explain(
    file: Annotated[
        Path,
        typer.Argument(
            help="A Stripe event or object as JSON; `-` reads standard input.",
            allow_dash=True,
            dir_okay=False,
            metavar="FILE|-",
        ),
    ],
) -> None:
    """Show what would be published for an event or an object: topic, key and record, as JSON.

    Needs no server and no settings. A record of a bare object is shown as a snapshot read now.

    Example: `stripe events retrieve evt_... | stripeline producer explain -`
    """
    from producer.explain_command import run

    run(file)


if __name__ == "__main__":
    app()
