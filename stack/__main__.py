"""`stripeline stack`: a local Kafka, schema registry and Postgres, and the demo on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from stack.local import LocalStack

app = typer.Typer(
    no_args_is_help=True,
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
def up(folder: FolderOption = None) -> None:
    """Start what does not run yet, and print the addresses; safe to repeat."""
    from rich.console import Console

    console = Console()
    stack = _stack(folder, console)
    addresses = stack.up()
    for name, value in addresses.environment().items():
        console.print(f"{name}={value}", highlight=False, soft_wrap=True)


@app.command()
def status(folder: FolderOption = None) -> None:
    """Print what runs, where, and where its log is."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("program", "state", "process", "address", "log")
    for standing in _stack(folder, console).standings():
        table.add_row(
            standing.name,
            standing.state.value,
            "" if standing.pid is None else str(standing.pid),
            standing.address,
            "" if standing.log is None else str(standing.log),
        )
    console.print(table)


@app.command()
def down(folder: FolderOption = None) -> None:
    """Stop what was started, in order; data is kept."""
    from rich.console import Console

    console = Console()
    stopped = _stack(folder, console).down()
    if not stopped:
        console.print("Nothing ran.")


def _stack(folder: Path | None, console: "Console") -> "LocalStack":
    from runtime.settings import load
    from stack.folder import HOME, Folder
    from stack.local import Given, LocalStack
    from stack.progress import OnConsole
    from stack.settings import StackSettings

    settings = load(StackSettings)
    given = Given(
        kafka=settings.kafka_bootstrap_servers,
        registry=settings.schema_registry_url,
        database=settings.database_url,
    )
    return LocalStack(
        folder=Folder(path=folder or HOME / "local"),
        given=given,
        cache=settings.stack_cache.expanduser(),
        progress=OnConsole(console),
    )


if __name__ == "__main__":
    app()
