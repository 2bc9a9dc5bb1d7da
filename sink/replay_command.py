"""`stripeline sink replay`: a stretch of a topic applied once more, under the guard."""

import contextlib
from datetime import UTC, datetime
from typing import Final

from rich.console import Console

from runtime.errors import ExitCode, WrongSetting
from runtime.settings import load
from schemas.registry import Registry
from schemas.topics import table_name
from sink.batch import place_of
from sink.errors import PostgresAway, PostgresUnreachable, TopicMissing
from sink.filling import Site, batches
from sink.history_choice import history_tables
from sink.kafka_ranges import Extent, TopicReader
from sink.postgres_database import PostgresDatabase
from sink.rebuild_progress import watcher_on
from sink.replay import Replay
from sink.settings import HistorySettings

MILLISECONDS_PER_SECOND: Final = 1_000
DEAD_SHOWN_MAX: Final = 20
OFFSET_PREFIX: Final = "offset:"
YEAR_MIN: Final = 2010
"""There was no Stripe before."""


def run(stripe_object: str, *, start: str) -> ExitCode:
    """Apply the records of an object from `start` on; rows that are newer stay.

    Args:
        start: an offset, which counts in every partition, or a time.

    Raises:
        WrongSetting: `start` is neither, or may be both.
        TopicMissing: there is no such topic.
        SinkError: what went wrong; running it again is harmless.
    """
    settings = load(HistorySettings)
    site = Site.of(settings, schema=settings.database_schema)
    table, console = table_name(stripe_object), Console()
    topic, reader = site.names.object_topic(table), site.reader()
    extent = reader.extent(topic)
    if extent is None:
        raise TopicMissing(f"There is no topic {topic}. Is KAFKA_NAMESPACE right?")
    starts = _starts(reader, topic, extent, start)
    history = history_tables(settings, reader)
    database = PostgresDatabase(site.database_url, schema=site.schema)
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        contextlib.closing(database),
        watcher_on(console) as watcher,
    ):
        replay = Replay(database, site.loader(registry, history=history))
        try:
            database.migrate()
            reached = dict(starts)
            offsets = sum(extent.ends[one] - offset for one, offset in starts.items())
            watcher.reading(table, offsets)
            for batch, next_offsets in batches(reader, topic, starts, extent.ends):
                replay.write(batch)
                watcher.passed(sum(offset - reached[one] for one, offset in next_offsets.items()))
                reached |= next_offsets
        except PostgresAway as away:
            raise PostgresUnreachable(f"DATABASE_URL: {away}. Run it again.") from away
    console.print(f"{replay.records:,} records of {topic} applied; {replay.rows:,} rows changed.")
    if not replay.dead:
        return ExitCode.OK
    console.print(f"[red]{len(replay.dead):,} records are no rows and were left out.[/]")
    for one in replay.dead[:DEAD_SHOWN_MAX]:
        place = place_of(one.record)
        console.print(f"  partition {place.partition.number}, offset {place.offset}: {one.reason}")
    return ExitCode.FAILED


def _starts(reader: TopicReader, topic: str, extent: Extent, start: str) -> dict[int, int]:
    """Where each partition is read from.

    Raises:
        WrongSetting: `start` is no time and no offset, may be both, or is beyond every record.
    """
    text = start.removeprefix(OFFSET_PREFIX)
    if not (text.isascii() and text.isdigit()):
        return reader.offsets_at(topic, extent, milliseconds=_milliseconds(start))
    if text == start and _is_date(text):
        raise WrongSetting(
            f"--from {text} may be an offset or a date. Say --from {OFFSET_PREFIX}{text}, or "
            f"--from {text[:4]}-{text[4:6]}-{text[6:]}"
        )
    first, last = int(text), max(extent.ends.values(), default=0)
    if first > last:
        raise WrongSetting(
            f"--from {start}: no partition of {topic} has so many records; the highest offset is "
            f"below {last}. A time is written like 2026-11-21T08:00 (UTC)."
        )
    return {
        number: min(max(first, extent.starts[number]), end) for number, end in extent.ends.items()
    }


def _milliseconds(start: str) -> int:
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise WrongSetting(
            "--from is neither an offset nor a time. Example: --from 2026-11-21T08:00 (UTC), or "
            "--from 120000"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * MILLISECONDS_PER_SECOND)


def _is_date(digits: str) -> bool:
    """Whether eight digits may be meant as a day of Stripe's time."""
    if len(digits) != len("20261121"):
        return False
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).year >= YEAR_MIN
    except ValueError:
        return False
