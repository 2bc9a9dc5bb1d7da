"""The sink's commands: run, migrate."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Kafka -> Postgres. `run` keeps one table per Stripe object up to date, `migrate` makes "
        "the sink's own schema `stripeline`."
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


if __name__ == "__main__":
    app()
