"""Brings the memory of a partition up to date with the object topics, before it is relied upon."""

from collections.abc import Callable, Mapping

from producer.errors import ForeignRecord
from producer.kafka_changelog import Changelog, StoredRecord, TopicEnd
from producer.memory import PartitionMemory, Progress, entry_name
from producer.order import Entry
from producer.record import entry_of_headers
from schemas.topics import Names


class Restorer:
    """Restores partition memories from the topics."""

    def __init__(self, *, changelog: Changelog, names: Names) -> None:
        self._changelog = changelog
        self._names = names

    def restore(
        self, memory: PartitionMemory, partition: int, *, alive: Callable[[], None]
    ) -> int:
        """Take in everything that was published before now; how many records that was.

        Call it after the committed offsets were asked for: then no transaction over them is open,
        and everything that they stand for is before the ends read here.

        Args:
            memory: of the partition.
            partition: of the object topics, and of the inbox.
            alive: called between batches; may raise to give up, and what was taken in stays.

        Raises:
            ForeignRecord: a record that no relay wrote.
            KafkaUnreachable: the ends cannot be read or reached.
        """
        ends = self._changelog.ends(partition)
        if not _continues(memory.progress(), ends):
            memory.forget()
        progress = memory.progress()
        start = {
            topic: max(end.low_offset, progress[topic].next_offset if topic in progress else 0)
            for topic, end in ends.items()
        }
        behind = {
            topic: offset for topic, offset in start.items() if offset < ends[topic].high_watermark
        }
        if not behind:
            return 0
        count = 0
        for records, moved in self._changelog.read(partition, start=behind, ends=ends):
            alive()
            memory.remember(
                dict(map(self._remembered, records)),
                {
                    topic: Progress(topic_id=ends[topic].topic_id, next_offset=offset)
                    for topic, offset in moved.items()
                },
            )
            count += len(records)
        return count

    def _remembered(self, record: StoredRecord) -> tuple[str, Entry]:
        try:
            entry = entry_of_headers(record.headers, record_offset=record.offset)
            key = record.key.decode()
        except ValueError as error:
            raise ForeignRecord(topic=record.topic, offset=record.offset) from error
        return entry_name(self._names.table_of(record.topic), key), entry


def _continues(progress: Mapping[str, Progress], ends: Mapping[str, TopicEnd]) -> bool:
    """Whether the topics are those that the memory was built from."""
    return all(
        topic in ends
        and ends[topic].topic_id == found.topic_id
        and found.next_offset <= ends[topic].high_watermark
        for topic, found in progress.items()
    )
