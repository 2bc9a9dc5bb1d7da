"""`stripeline sink replay`: a stretch of a topic applied once more, under the guard."""

import contextlib
from datetime import UTC, datetime

from rich.console import Console

from runtime.errors import ExitCode, WrongSetting
from runtime.settings import load
from schemas.registry import Registry
from schemas.topics import table_name
from sink.errors import PostgresAway, PostgresUnreachable, TopicMissing
from sink.filling import Site, batches
from sink.history_choice import history_tables
from sink.kafka_ranges import Extent, TopicReader
from sink.postgres_database import PostgresDatabase
from sink.rebuild_progress import watcher_on
from sink.settings import HistorySettings

MILLISECONDS_PER_SECOND = 1_000


def run(stripe_object: str, *, start: str) -> ExitCode:
    """Apply the records of an object from `start` on; rows that are newer stay.

    Args:
        start: an offset, which counts in every partition, or a time.

    Raises:
        WrongSetting: `start` is neither.
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
    records = rows = unreadable = 0
    with (
        contextlib.closing(Registry(site.registry_url)) as registry,
        contextlib.closing(database),
        watcher_on(console) as watcher,
    ):
        loader = site.loader(registry, history=history)
        reached = dict(starts)
        watcher.reading(table, sum(extent.ends[one] - offset for one, offset in starts.items()))
        for batch, next_offsets in batches(reader, topic, starts, extent.ends):
            written = loader.load(batch)
            try:
                # No step: where the sink stands is the sink's to say.
                rows += sum(database.write(written, dead=(), steps={}).values())
            except PostgresAway as away:
                raise PostgresUnreachable(f"DATABASE_URL: {away}. Run it again.") from away
            records += len(batch.records)
            unreadable += len(written.dead)
            watcher.passed(sum(offset - reached[one] for one, offset in next_offsets.items()))
            reached |= next_offsets
    console.print(f"{records:,} records of {topic} applied; {rows:,} rows changed.")
    if unreadable:
        console.print(f"[red]{unreadable:,} records cannot be read and were left out.[/]")
        return ExitCode.FAILED
    return ExitCode.OK


def _starts(reader: TopicReader, topic: str, extent: Extent, start: str) -> dict[int, int]:
    if start.isdigit():
        return {
            number: min(max(int(start), extent.starts[number]), end)
            for number, end in extent.ends.items()
        }
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        raise WrongSetting(
            "--from is neither an offset nor a time. Example: --from 2026-11-21T08:00 (UTC), or "
            "--from 120000"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    milliseconds = int(moment.timestamp() * MILLISECONDS_PER_SECOND)
    return reader.offsets_at(topic, extent, milliseconds=milliseconds)
