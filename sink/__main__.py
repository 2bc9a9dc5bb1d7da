"""The sink's commands: run, migrate, rebuild, verify, replay, columns."""

from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Kafka -> Postgres. `run` keeps one table per Stripe object up to date, `verify` compares "
        "tables with their topics, `rebuild` makes them again, `migrate` makes the sink's own "
        "schema `stripeline`."
    ),
)


@app.command()
def run() -> None:
    """Write every object topic into its table, as long as it runs.

    Tables are made and widened by themselves, from the schemas that the records name. Any number
    of sinks may run; they share the partitions. While Postgres is away the sink waits and loses
    nothing; a record that Postgres refuses goes to the dead letters (`stripeline.dead_letter`,
    and the Kafka topic), and the rest go on. Schema `stripeline` is migrated at start.

    Example: `DATABASE_URL=postgresql://app@localhost/app stripeline sink run`
    """
    from sink.run_command import run as run_sink

    run_sink()


@app.command()
def migrate() -> None:
    """Make schema `stripeline`: offsets, dead letters, and which columns the sink keeps.

    `run` does this at start; run it first, as a role that may create schemas, where the sink's
    own role may not. Safe to repeat. The role of the sink then needs `usage` on the schema, all
    on its tables, and schemas for the rows that it owns.

    Example: `DATABASE_URL=postgresql://owner@localhost/app stripeline sink migrate`
    """
    from sink.migrate_command import run as run_migrate

    run_migrate()


Objects = Annotated[
    list[str] | None,
    typer.Argument(help="Stripe objects: `subscription`, `checkout.session`.", metavar="OBJECT"),
]
All = Annotated[bool, typer.Option("--all", help="Every object that has a topic.")]
Into = Annotated[
    str | None,
    typer.Option(
        help="Another Postgres schema than `DATABASE_SCHEMA`; made where it is missing.",
        metavar="SCHEMA",
    ),
]


@app.command()
def rebuild(
    objects: Objects = None,
    *,
    everything: All = False,
    into: Into = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `verify`.")] = False,
) -> None:
    """Make tables again from their topics, while the sink runs and people use them.

    The topic is read into a shadow, and only rows that differ are changed, some at a time: nobody
    ever sees an empty or a half table; views, grants, indexes, foreign keys and triggers stay; a
    newer row of the live sink wins. Interrupted at any moment, the next run goes on where it
    stood. A fresh database is filled in the same way.

    Exit code 0 if every row is as its topic says now; 1 if a record could not be read, a row not
    be put right, or a table not be rebuilt: the others are, and the report tells.

    Example: `stripeline sink rebuild subscription invoice`
    """
    from sink.rebuild_command import run as run_rebuild

    raise typer.Exit(
        run_rebuild(objects or [], everything=everything, apply=not dry_run, into=into)
    )


@app.command()
def verify(objects: Objects = None, *, everything: All = False, into: Into = None) -> None:
    """Compare tables with their topics and change nothing.

    Reports rows that are missing, wrong, behind, ahead or extra, and which columns differ. What
    the running sink has not written yet is no difference.

    Exit code 0 if all is as the topics say, 4 if something differs, whatever else; 1 if a table
    could not be compared, or a record not be read: the rows of its key were not judged, until a
    newer record of that key is published and the topic compacted.

    Example: `stripeline sink verify --all`
    """
    from sink.rebuild_command import run as run_rebuild

    raise typer.Exit(run_rebuild(objects or [], everything=everything, apply=False, into=into))


@app.command()
def replay(
    stripe_object: Annotated[str, typer.Argument(help="A Stripe object.", metavar="OBJECT")],
    *,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="A time of a change (UTC unless it says otherwise), or an offset, which counts "
            "in every partition; `offset:20261121` is no date.",
            metavar="TIME|OFFSET",
        ),
    ],
) -> None:
    """Apply an object's changes once more, from a time or an offset on.

    Under the sink's guard: a row that is newer than the record stays. The sink's own offsets are
    not touched, and it may run meanwhile. A record that is no row, or that Postgres refuses, is
    told and left out; then the exit code is 1. To find and mend what is wrong without knowing
    since when, use `rebuild`.

    Example: `stripeline sink replay subscription --from 2026-11-21T08:00`
    """
    from sink.replay_command import run as run_replay

    raise typer.Exit(run_replay(stripe_object, start=start))


@app.command()
def columns(
    stripe_object: Annotated[str, typer.Argument(help="A Stripe object.", metavar="OBJECT")],
) -> None:
    """Show an object's columns: type, meaning, and since which version of its schema.

    Asks the schema registry, and Postgres for what the table has beyond that, or not yet.

    Example: `stripeline sink columns subscription`
    """
    from sink.columns_command import run as run_columns

    run_columns(stripe_object)


if __name__ == "__main__":
    app()
