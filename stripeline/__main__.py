"""The `stripeline` command: mounts the others' commands, each imported only when it is called."""

import importlib
import sys
from importlib.util import find_spec
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from runtime.errors import StripelineError

# Name of the command, module that holds its Typer application `app`, the line in `--help`.
MOUNTED = {
    "producer": ("producer.__main__", "Stripe -> Kafka: webhook, poll, backfill, relay, run, ..."),
    "sink": ("sink.__main__", "Kafka -> Postgres: run, verify, rebuild, replay, migrate."),
    "dead-letters": (
        "sink.dead_letters.__main__",
        "What could not be processed: list, show, retry, discard.",
    ),
    "doctor": ("stripeline.doctor", "Check settings, Kafka, registry, Postgres and Stripe."),
    "simulator": ("simulator.__main__", "A simulated Stripe for demos and tests."),
    "stack": ("stack.__main__", "A local Kafka, schema registry and Postgres: up, status, down."),
}


class MountedGroup(TyperGroup):
    """A group whose commands are imported when they are called, so that `--help` is instant."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The mounted commands, in the order of `MOUNTED`; an image has one service's only."""
        return [name for name, (module, _) in MOUNTED.items() if _installed(module)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import the mounted command `cmd_name`; none when there is no such command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, summary = MOUNTED[cmd_name]
        if ctx.invoked_subcommand is None and cmd_name not in sys.argv:
            return TyperCommand(cmd_name, help=summary)
        application = importlib.import_module(module).app
        command = typer.main.get_command(application)
        command.name = cmd_name
        return command


def _installed(module: str) -> bool:
    return find_spec(module.partition(".")[0]) is not None


app = typer.Typer(
    cls=MountedGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help=(
        "Stripe -> Kafka -> Postgres, in order and without loss.\n\n"
        "`stripeline stack up` starts what is needed on this machine, `stripeline doctor` tells "
        "what is missing. Every setting also comes from the environment; see docs/settings.md."
    ),
)


@app.callback()
def root() -> None:
    """Nothing to do before a command."""


def main() -> None:
    """Run the command; an error that the operator can act on is one message, not a traceback."""
    try:
        app()
    except StripelineError as error:
        words = Text.assemble(("error ", "bold red"), str(error))
        Console(stderr=True).print(words, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
