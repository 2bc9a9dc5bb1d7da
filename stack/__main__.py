"""`stripeline stack`: a local Kafka, schema registry and Postgres, and the demo on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from stack.local import LocalStack
    from stack.settings import StackSettings

HOME = Path(".stripeline")
LOCAL = HOME / "local"
DEMO = HOME / "demo"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=(
        "A local Kafka, schema registry and Postgres, kept in .stripeline/.\n\n"
        "What KAFKA_BOOTSTRAP_SERVERS, SCHEMA_REGISTRY_URL and DATABASE_URL name is used instead "
        "of starting anything. Only programs started here are ever stopped."
    ),
)

FolderOption = Annotated[
    Path | None,
    typer.Option("--folder", help="Data folder.", show_default=".stripeline/local"),
]


@app.command()
def up(
    *,
    folder: FolderOption = None,
    services: Annotated[
        bool,
        typer.Option(
            "--services",
            help=(
                "Also start the webhook, the poller, the relay and the sink, against real "
                "Stripe. Needs STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET."
            ),
        ),
    ] = False,
) -> None:
    """Start what does not run yet, and print the addresses; safe to repeat."""
    from rich.console import Console

    from stack.real_stripe import require_keys, start_services

    console = Console()
    settings = _settings()
    if services:
        require_keys(settings)
    stack = _stack(settings, folder or LOCAL, console)
    addresses = stack.up()
    shown = list(addresses.environment().items())
    if services:
        shown += start_services(stack, addresses, settings)
    for name, value in shown:
        console.print(f"{name}={value}", highlight=False, soft_wrap=True)


@app.command()
def status(folder: FolderOption = None) -> None:
    """Print what runs, where, and where its log is.

    Without a folder both the local stack and the demo are shown.
    """
    from rich.console import Console

    from stack.status_table import status_table

    console = Console()
    settings = _settings()
    for place in (folder,) if folder is not None else (LOCAL, DEMO):
        if place in {folder, LOCAL} or place.exists():
            standings = _stack(settings, place, console).standings()
            console.print(status_table(str(place), standings))


@app.command()
def down(
    *,
    folder: FolderOption = None,
    remove_data: Annotated[
        bool, typer.Option("--remove-data", help="Also remove all data, logs and ports.")
    ] = False,
) -> None:
    """Stop what was started, in order; data is kept.

    Without a folder both the local stack and the demo are stopped.
    """
    from rich.console import Console

    console = Console()
    settings = _settings()
    stopped = []
    for place in (folder,) if folder is not None else (DEMO, LOCAL):
        stack = _stack(settings, place, console)
        if place.exists():
            stopped += stack.down()
            if remove_data:
                stack.remove_data()
    if not stopped:
        console.print("Nothing ran.")


@app.command()
def demo(
    *,
    leave: Annotated[
        bool,
        typer.Option(
            "--exit",
            envvar="DEMO_EXIT",
            help="Stop after the rows were shown; the exit code is 0 only if they were right.",
        ),
    ] = False,
) -> None:
    """A simulated Stripe, the stack and both services; shows rows that follow every change.

    Everything lies in .stripeline/demo, which each demo empties first. Ctrl-C, or
    `stripeline stack down` elsewhere, stops all of it.
    """
    from stack.demo import Demo
    from stack.demo_screen import console
    from stack.folder import Folder

    settings = _settings()
    performed = Demo(
        folder=Folder(path=DEMO.resolve()),
        given=settings.given(),
        cache=settings.stack_cache.expanduser(),
        console=console(),
    )
    performed.run(leave=leave)


def _settings() -> "StackSettings":
    from runtime.settings import load
    from stack.settings import StackSettings

    return load(StackSettings)


def _stack(settings: "StackSettings", folder: Path, console: "Console") -> "LocalStack":
    from stack.folder import Folder
    from stack.local import LocalStack
    from stack.progress import OnConsole

    return LocalStack(
        folder=Folder(path=folder.resolve()),
        given=settings.given(),
        cache=settings.stack_cache.expanduser(),
        progress=OnConsole(console),
    )


if __name__ == "__main__":
    app()
