"""`stripeline sink migrate`: schema `stripeline`, once."""

from rich.console import Console

from runtime.settings import load
from sink.errors import PostgresAway, PostgresUnreachable
from sink.postgres import Connection
from sink.postgres_migrations import migrate
from sink.settings import DatabaseSettings


def run() -> None:
    """Run the migrations that are missing, and say which.

    Raises:
        PostgresUnreachable: no answer; nothing was done.
        MigrationsMissing: this role may not make them.
    """
    settings = load(DatabaseSettings)
    connection = Connection(settings.database_url.get_secret_value())
    try:
        done = migrate(connection)
    except PostgresAway as away:
        raise PostgresUnreachable(f"DATABASE_URL: {away}") from away
    finally:
        connection.close()
    console = Console()
    for name in done:
        console.print(f"migrated {name}")
    if not done:
        console.print("schema stripeline is up to date")
