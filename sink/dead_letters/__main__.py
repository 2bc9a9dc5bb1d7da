"""The commands `stripeline dead-letters`: list, show, retry, discard."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "What could not be processed, of the relay and of the sink: look at it, put its cause "
        "right, and try it again, or let it go. An outage never comes here."
    ),
)

Names = Annotated[
    list[str] | None,
    typer.Argument(help="Where they stand, as `list` shows it.", metavar="ORIGIN"),
]
All = Annotated[bool, typer.Option("--all", help="Every open one that the options leave.")]
Service = Annotated[str, typer.Option(help="Only of `relay` or of `sink`.")]
Reason = Annotated[str, typer.Option(help="Only with this reason.")]


@app.command("list")
def list_letters(*, service: Service = "", reason: Reason = "") -> None:
    """Show the open dead letters: where each record stands, who gave it up, why and when.

    Example: `stripeline dead-letters list --service sink`
    """
    from sink.dead_letters.command import Choice, show_all

    show_all(Choice(service=service, reason=reason))


@app.command()
def show(
    origin: Annotated[str, typer.Argument(help="As `list` shows it.")],
    *,
    value: Annotated[
        bool, typer.Option("--value", help="Only the original bytes; they hold personal data.")
    ] = False,
) -> None:
    """Show one dead letter with its headers and where in the code it died.

    Example: `stripeline dead-letters show stripe-inbox/3/1842 --value | stripeline producer
    explain -`
    """
    from sink.dead_letters.command import show_one

    show_one(origin, value_only=value)


@app.command()
def retry(
    origins: Names = None,
    *,
    everything: All = False,
    service: Service = "",
    reason: Reason = "",
) -> None:
    """Process dead letters once more, the normal way and in order.

    One of the relay goes back into the inbox; one of the sink is written into its table, unless
    the row is newer already. Those that get through are listed no more; exit code 1 if one did
    not.

    Example: `stripeline dead-letters retry --all --reason 23514`
    """
    from sink.dead_letters.command import chosen
    from sink.dead_letters.command import retry as retry_chosen

    choice = chosen(origins or [], everything=everything, service=service, reason=reason)
    raise typer.Exit(retry_chosen(choice))


@app.command()
def discard(
    origins: Names = None,
    *,
    everything: All = False,
    service: Service = "",
    reason: Reason = "",
) -> None:
    """Let dead letters go: they are listed no more, and stay in the topic for its 90 days.

    Example: `stripeline dead-letters discard stripe.subscription/0/9713`
    """
    from sink.dead_letters.command import chosen
    from sink.dead_letters.command import discard as discard_chosen

    choice = chosen(origins or [], everything=everything, service=service, reason=reason)
    raise typer.Exit(discard_chosen(choice))
