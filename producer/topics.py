"""Every topic as it should be: partitions, settings, and the reason for each setting."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import WrongSetting
from schemas.topics import Names

HOUR_MILLISECONDS = 3_600_000
DAY_MILLISECONDS = 24 * HOUR_MILLISECONDS
MEBIBYTE = 1_048_576

INBOX_RECORD_BYTES_MAX = 3 * MEBIBYTE
"""A webhook body has at most 2 MiB; key, headers and the batch's own bytes come on top."""
OBJECT_RECORD_BYTES_MAX = 4 * MEBIBYTE
"""A record holds a body's fields once more as JSON strings, whose quotes are escaped."""
DEAD_LETTER_RECORD_BYTES_MAX = 5 * MEBIBYTE
"""A dead letter holds any other topic's record and the headers that say where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicPlan:
    """One topic as it should be.

    Attributes:
        settings: Kafka's names and values of every setting that matters, also where a value
            equals Kafka's default: a cluster may have other defaults.
        partitions_matter: whether another number of partitions would break the order per key.
    """

    name: str
    partitions: int
    replication_factor: int
    settings: dict[str, str]
    partitions_matter: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLayout:
    """How all topics of one installation are laid out."""

    names: Names
    partitions: int
    replication_factor: int

    def streams(self) -> list[TopicPlan]:
        """The inbox, the cursors and the dead letters."""
        return [self._inbox(), self._cursors(), self._dead_letters()]

    def objects(self, object_names: Iterable[str]) -> list[TopicPlan]:
        """The topics of the objects named, in the order given."""
        return [self._object(self.names.object_topic(name)) for name in object_names]

    def _inbox(self) -> TopicPlan:
        return TopicPlan(
            name=self.names.inbox,
            partitions=self.partitions,
            replication_factor=self.replication_factor,
            settings={
                **self._durable(),
                # A bug in normalising is repaired by reading the inbox again; Stripe itself
                # keeps events for the same 30 days.
                "cleanup.policy": "delete",
                "retention.ms": str(30 * DAY_MILLISECONDS),
                "retention.bytes": "-1",
                "segment.ms": str(DAY_MILLISECONDS),
                "max.message.bytes": str(INBOX_RECORD_BYTES_MAX),
                # Arrival is the broker's word: a wrong clock on a webhook machine must not
                # delete an event early. Stripe's own time stands in the event.
                "message.timestamp.type": "LogAppendTime",
            },
        )

    def _object(self, name: str) -> TopicPlan:
        return TopicPlan(
            name=name,
            partitions=self.partitions,
            replication_factor=self.replication_factor,
            settings={
                **self._durable(),
                # `compact` alone: with `delete` a quiet object would vanish from the topic.
                "cleanup.policy": "compact",
                # A subscriber that is away for a week still reads every change.
                "min.compaction.lag.ms": str(7 * DAY_MILLISECONDS),
                # A quiet topic is compacted too, or it would keep personal data for ever.
                "max.compaction.lag.ms": str(30 * DAY_MILLISECONDS),
                # Only closed segments are compacted.
                "segment.ms": str(7 * DAY_MILLISECONDS),
                # Longer than any outage and rebuild of a reader.
                "delete.retention.ms": str(30 * DAY_MILLISECONDS),
                "max.message.bytes": str(OBJECT_RECORD_BYTES_MAX),
                # A record's time is the change's, so that one can seek by it. Stripe's clock
                # (a test clock most of all) may be ahead of the broker's.
                "message.timestamp.type": "CreateTime",
                "message.timestamp.after.max.ms": str(2**63 - 1),
                "message.timestamp.before.max.ms": str(2**63 - 1),
            },
        )

    def _cursors(self) -> TopicPlan:
        return TopicPlan(
            name=self.names.cursors,
            partitions=1,
            replication_factor=self.replication_factor,
            settings={
                **self._durable(),
                "cleanup.policy": "compact",
                "min.compaction.lag.ms": "0",
                "max.compaction.lag.ms": str(DAY_MILLISECONDS),
                "segment.ms": str(DAY_MILLISECONDS),
                "delete.retention.ms": str(DAY_MILLISECONDS),
                "max.message.bytes": str(MEBIBYTE),
                "message.timestamp.type": "CreateTime",
            },
            partitions_matter=False,
        )

    def _dead_letters(self) -> TopicPlan:
        return TopicPlan(
            name=self.names.dead_letters,
            partitions=1,
            replication_factor=self.replication_factor,
            settings={
                **self._durable(),
                "cleanup.policy": "delete",
                # An operator has a quarter of a year to look at each.
                "retention.ms": str(90 * DAY_MILLISECONDS),
                "retention.bytes": "-1",
                "segment.ms": str(7 * DAY_MILLISECONDS),
                "max.message.bytes": str(DEAD_LETTER_RECORD_BYTES_MAX),
                "message.timestamp.type": "LogAppendTime",
            },
            partitions_matter=False,
        )

    def _durable(self) -> dict[str, str]:
        return {
            # With three copies an acknowledged record survives a broker's loss, and one broker
            # may be away; with fewer there is nothing to choose.
            "min.insync.replicas": str(max(1, self.replication_factor - 1)),
            # A replica that lags would come back without acknowledged records.
            "unclean.leader.election.enable": "false",
            # The broker keeps the producer's compression instead of compressing again.
            "compression.type": "producer",
        }


def chosen_objects(wish: str, *, known: Iterable[str]) -> tuple[str, ...]:
    """The object names that the setting `OBJECTS` asks for.

    Args:
        wish: `all`, or names separated by commas.
        known: every object name of the catalogue.

    Raises:
        WrongSetting: a name is not in the catalogue; the message offers near ones.
    """
    catalogue = tuple(known)
    if wish.strip() == "all":
        return catalogue
    chosen = tuple(dict.fromkeys(part.strip() for part in wish.split(",") if part.strip()))
    for name in chosen:
        if name not in catalogue:
            near = difflib.get_close_matches(name, catalogue, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise WrongSetting(
                f"OBJECTS: `{name}` is no Stripe object with a topic.{hint} "
                "Example: OBJECTS=customer,subscription,invoice"
            )
    if not chosen:
        raise WrongSetting("OBJECTS: it names no object. Example: OBJECTS=customer,subscription")
    return chosen
