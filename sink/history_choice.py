"""Which objects' changes are kept: what `HISTORY` says, held against what there is."""

from difflib import get_close_matches

from runtime.errors import WrongSetting
from schemas.objects import load_catalogue
from schemas.topics import table_name
from sink.kafka_ranges import TopicReader
from sink.settings import HistorySettings


def history_tables(settings: HistorySettings, reader: TopicReader) -> tuple[str, ...]:
    """The tables of the objects of `HISTORY`.

    Args:
        reader: asked only for types that this release does not know: they have a topic if there
            are such.

    Raises:
        WrongSetting: there is no such object: nothing would ever be kept, and nobody would know.
        KafkaAway: it is not known whether there is.
    """
    chosen = settings.history_tables
    names = {table_name(name): name for name in load_catalogue().names()} if chosen else {}
    unknown = [table for table in chosen if table not in names]
    if unknown:
        published = reader.tables()
        unknown = [table for table in unknown if table not in published]
        names |= {table: table for table in published if table not in names}
    if unknown:
        meant = get_close_matches(unknown[0], names, n=1)
        hint = f" Did you mean {names[meant[0]]}?" if meant else ""
        raise WrongSetting(
            f"HISTORY names {', '.join(unknown)}, and there is no such object.{hint} There are: "
            f"{', '.join(sorted(names.values()))}."
        )
    return chosen
