"""`stripeline dead-letters`: looked at, tried again, or done with."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from runtime.clock import MICROS_PER_SECOND
from runtime.errors import ExitCode, WrongSetting
from runtime.settings import load
from schemas.dead_letters import Settled
from schemas.errors import SchemaError
from schemas.registry import Registry
from sink.batch import Batch, Headers, Partition, Place
from sink.dead_letters.letters import Letter
from sink.errors import SinkError, StillDead
from sink.filling import Site
from sink.history_choice import history_tables
from sink.kafka_dead_letters import SERVICE
from sink.kafka_letters import Letters
from sink.postgres_database import PostgresDatabase
from sink.settings import DatabaseSettings, HistorySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which letters a person means.

    Attributes:
        names: as listed; empty for all that the others leave.
        service, reason: only of these; empty for any.
    """

    names: Sequence[str] = ()
    service: str = ""
    reason: str = ""

    def of(self, letters: Iterable[Letter]) -> list[Letter]:
        """The letters chosen.

        Raises:
            WrongSetting: a name is not among them.
        """
        found = [
            letter
            for letter in letters
            if (not self.names or letter.origin.name in self.names)
            and self.service in ("", letter.origin.service)
            and self.reason in ("", letter.origin.reason)
        ]
        missing = {*self.names} - {letter.origin.name for letter in found}
        if missing:
            raise WrongSetting(
                f"There is no open dead letter {', '.join(sorted(missing))}. "
                "`stripeline dead-letters list` shows what there is."
            )
        return found


def chosen(names: Sequence[str], *, everything: bool, service: str, reason: str) -> Choice:
    """What a person said.

    Raises:
        WrongSetting: neither names nor --all, or both.
    """
    if bool(names) is everything:
        raise WrongSetting("Name dead letters as `list` shows them, or say --all.")
    return Choice(names=names, service=service, reason=reason)


def show_all(choice: Choice) -> None:
    """Print a table of the open letters."""
    letters = choice.of(_letters().open())
    console = Console()
    if not letters:
        console.print("There are no open dead letters.")
        return
    table = Table(title=f"{len(letters):,} open dead letters")
    for heading in ("Origin", "Service", "Reason", "Key", "Died at (UTC)"):
        table.add_column(heading, overflow="fold")
    table.add_column("Bytes", justify="right")
    for letter in letters:
        table.add_row(
            letter.origin.name,
            letter.origin.service,
            letter.origin.reason,
            _text(letter.key),
            _moment(letter),
            f"{len(letter.value or b''):,}",
        )
    console.print(table)


def show_one(name: str, *, value_only: bool) -> None:
    """Print everything about a letter but its value, or the value's bytes alone."""
    (letter,) = Choice(names=[name]).of(_letters().open())
    if value_only:
        sys.stdout.buffer.write(letter.value or b"")
        return
    console = Console(soft_wrap=True)
    for label, text in (
        ("origin", letter.origin.name),
        ("service", letter.origin.service),
        ("reason", letter.origin.reason),
        ("died at", _moment(letter)),
        ("key", _text(letter.key)),
        ("bytes", f"{len(letter.value or b''):,}"),
        *((f"header {name}", _text(header)) for name, header in letter.headers),
    ):
        console.print(f"[bold]{label}[/] {text}", highlight=False)
    if letter.origin.stack:
        console.print(f"[bold]stack[/]\n{letter.origin.stack}", highlight=False)


def retry(choice: Choice) -> ExitCode:
    """Send the chosen letters the normal way once more, and settle those that get through.

    A letter of the relay goes back into the inbox. One of the sink is written into its table,
    under the guard: a newer row stays.
    """

    def again(letters: Letters, letter: Letter) -> None:
        if letter.origin.service == SERVICE:
            _write(letter)
        else:
            letters.send_back(letter)

    return _settle(choice, Settled.RETRIED, again)


def discard(choice: Choice) -> ExitCode:
    """Settle the chosen letters as they are."""

    def struck_out(_letters: Letters, letter: Letter) -> None:
        if letter.origin.service == SERVICE:
            with contextlib.closing(_database()) as database:
                database.strike_out(_place(letter))

    return _settle(choice, Settled.DISCARDED, struck_out)


def _settle(
    choice: Choice, settled: Settled, action: Callable[[Letters, Letter], None]
) -> ExitCode:
    """Settle letters one by one; one that cannot be is told, and the others go on."""
    letters, console = _letters(), Console()
    chosen = choice.of(letters.open())
    failed = 0
    for letter in chosen:
        try:
            action(letters, letter)
            letters.settle(letter, settled)
        except (SinkError, SchemaError) as error:
            failed += 1
            console.print(f"[red]{letter.origin.name}: {error}[/]", highlight=False)
        else:
            console.print(f"{letter.origin.name} {settled.value}", highlight=False)
    console.print(f"{len(chosen) - failed:,} of {len(chosen):,} {settled.value}.")
    return ExitCode.FAILED if failed else ExitCode.OK


def _write(letter: Letter) -> None:
    """Write a record of an object topic into its table and its history, as the sink does.

    Raises:
        StillDead: it cannot be read.
        SinkError, SchemaError: it does not fit, or somebody does not answer.
    """
    settings = load(HistorySettings)
    site = Site.of(settings, schema=settings.database_schema)
    place = _place(letter)
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        contextlib.closing(_database()) as database,
    ):
        record = _Record(letter=letter, place=place)
        loader = site.loader(registry, history=history_tables(settings, site.reader()))
        loaded = loader.load(Batch(records=[record], fences={place.partition: 0}))
        if loaded.dead:
            raise StillDead(f"it still cannot be read: {loaded.dead[0].reason}")
        # No step: where the sink stands is the sink's to say.
        database.write(loaded, dead=(), steps={})
        database.strike_out(place)


def _letters() -> Letters:
    settings = load(DatabaseSettings)
    return Letters(settings.kafka(), names=Site.of(settings, schema="").names)


def _database() -> PostgresDatabase:
    settings = load(DatabaseSettings)
    return PostgresDatabase(
        settings.database_url.get_secret_value(), schema=settings.database_schema
    )


def _place(letter: Letter) -> Place:
    origin = letter.origin
    return Place(partition=Partition(origin.topic, origin.partition), offset=origin.offset)


def _moment(letter: Letter) -> str:
    return datetime.fromtimestamp(letter.origin.at // MICROS_PER_SECOND, UTC).isoformat(" ")[:19]


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """A letter's record, where it stood."""

    letter: Letter
    place: Place

    def topic(self) -> str:
        return self.place.partition.topic

    def partition(self) -> int:
        return self.place.partition.number

    def offset(self) -> int:
        return self.place.offset

    def key(self) -> bytes | None:
        return self.letter.key

    def value(self) -> bytes | None:
        return self.letter.value

    def headers(self) -> Headers | None:
        return [*self.letter.headers]
