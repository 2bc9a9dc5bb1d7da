"""The partitions that this relay owns: their memories, taken over and kept up to date."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from producer.kafka_changelog import Changelog
from producer.memory import PartitionMemory, Progress
from producer.order import Entry
from producer.restore import Restorer


class Partitions:
    """The memories of the partitions that are ours.

    Args:
        folder: where the files are; one relay's alone.
    """

    def __init__(self, *, folder: Path, changelog: Changelog, restorer: Restorer) -> None:
        self._folder = folder
        self._changelog = changelog
        self._restorer = restorer
        self._memories: dict[int, PartitionMemory] = {}
        self._topic_ids: dict[str, str] = {}

    def take_over(
        self, owned: Iterable[int], *, cluster_id: str, alive: Callable[[], None]
    ) -> int:
        """Bring the memories of the partitions owned up to date; how many records that took.

        Raises:
            KafkaUnreachable: the object topics cannot be read to their end.
            ForeignRecord: one of them holds what no relay wrote.
        """
        wanted = set(owned)
        for partition in set(self._memories) - wanted:
            self._memories.pop(partition).close()
        # A topic may have been made anew since.
        self._topic_ids.clear()
        count = 0
        for partition in sorted(wanted):
            memory = self._memories.get(partition)
            if memory is None:
                path = self._folder / f"partition-{partition}.sqlite"
                memory = PartitionMemory(path, cluster_id=cluster_id)
                self._memories[partition] = memory
            count += self._restorer.restore(memory, partition, alive=alive)
        return count

    def entries(self, names: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """What is known of objects, by name.

        Args:
            names: of the objects, by partition.
        """
        found: dict[str, Entry] = {}
        for partition, wanted in names.items():
            memory = self._memories.get(partition)
            if memory is not None:
                found |= memory.entries(wanted)
        return found

    def children(self, parents: Mapping[int, Iterable[str]]) -> dict[str, Entry]:
        """The owned children of objects that are not deleted, by name.

        Args:
            parents: names of the objects, by partition.
        """
        found: dict[str, Entry] = {}
        for partition, wanted in parents.items():
            memory = self._memories.get(partition)
            if memory is not None:
                found |= memory.children(wanted)
        return found

    def remember(
        self,
        partition: int,
        entries: Mapping[str, Entry],
        progress: Mapping[str, Progress],
    ) -> None:
        """Take in what a committed transaction published; of a partition given up, nothing."""
        memory = self._memories.get(partition)
        if memory is not None:
            memory.remember(entries, progress)

    def topic_id(self, topic: str) -> str:
        """The cluster's id of a topic.

        Raises:
            KafkaUnreachable: no answer.
        """
        if topic not in self._topic_ids:
            self._topic_ids |= self._changelog.topic_ids([topic])
        return self._topic_ids[topic]

    def close(self) -> None:
        """Close all files."""
        for memory in self._memories.values():
            memory.close()
        self._memories.clear()
