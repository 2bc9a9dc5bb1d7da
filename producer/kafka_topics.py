"""Makes the topics that are missing and checks those that exist, against their plan."""

import concurrent.futures
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, NewTopic, ResourceType

from producer.errors import KafkaUnreachable, PartitionCountDiffers, TopicRefused
from producer.topics import TopicLayout, TopicPlan
from runtime import logs

ANSWER_SECONDS_MAX = 5.0
"""A question; a readiness check must not wait long for a broker that hangs."""
MAKE_SECONDS_MAX = 20.0
KNOWN_SECONDS = 0.05
"""Between two looks for a topic that was just made."""
TOPICS_PER_REQUEST_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """What was found of one topic.

    Attributes:
        made: whether it was missing and was made now.
        differences: setting -> (value found, value planned), of an existing topic.
    """

    name: str
    partitions: int
    made: bool
    differences: dict[str, tuple[str, str]]


class Topics:
    """The topics of one installation, made on demand and checked."""

    def __init__(self, *, kafka: Mapping[str, str | int | float | bool], layout: TopicLayout):
        """Remember how the brokers are reached; nothing is sent yet.

        Args:
            kafka: the librdkafka properties that say how the brokers are reached.
            layout: how the topics should be.
        """
        # What goes wrong comes back as an exception; librdkafka's own lines are not JSON.
        self._admin = AdminClient({**kafka, "log_level": 0})
        self._layout = layout

    def ensure_streams(self) -> list[TopicState]:
        """Make or check the inbox, the cursors and the dead letters.

        Raises:
            KafkaUnreachable: no answer; try again later.
            TopicRefused: Kafka does not allow it.
            PartitionCountDiffers: a topic exists with another number of partitions.
        """
        return self._ensure(self._layout.streams())

    def ensure_objects(self, object_names: Iterable[str]) -> list[TopicState]:
        """Make or check the topics of Stripe objects, named as Stripe does (`checkout.session`).

        Raises:
            KafkaUnreachable: no answer; try again later.
            TopicRefused: Kafka does not allow it.
            PartitionCountDiffers: a topic exists with another number of partitions.
        """
        return self._ensure(self._layout.objects(object_names))

    def inbox_exists(self) -> bool:
        """Whether the inbox is there and Kafka answers; never makes it.

        Raises:
            KafkaUnreachable: no answer.
        """
        name = self._layout.names.inbox
        return name in self._partition_counts([name])

    def _ensure(self, plans: Sequence[TopicPlan]) -> list[TopicState]:
        found: list[TopicState] = []
        for start in range(0, len(plans), TOPICS_PER_REQUEST_MAX):
            found += self._ensure_few(plans[start : start + TOPICS_PER_REQUEST_MAX])
        return found

    def _ensure_few(self, plans: Sequence[TopicPlan]) -> list[TopicState]:
        counts = self._partition_counts([plan.name for plan in plans])
        made = self._make([plan for plan in plans if plan.name not in counts])
        if len(counts) < len(plans):
            counts = self._partition_counts_once_known([plan.name for plan in plans])
        for plan in plans:
            _check_partitions(plan, counts[plan.name])
        differences = self._differences([plan for plan in plans if plan.name not in made])
        return [
            TopicState(
                name=plan.name,
                partitions=counts[plan.name],
                made=plan.name in made,
                differences=differences.get(plan.name, {}),
            )
            for plan in plans
        ]

    def _partition_counts(self, names: Sequence[str]) -> dict[str, int]:
        """The number of partitions of each topic that exists."""
        # Unlike a metadata request this one never makes a topic by asking for it.
        answers = self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=ANSWER_SECONDS_MAX
        )
        counts = {}
        for name, answer in answers.items():
            try:
                counts[name] = len(answer.result(ANSWER_SECONDS_MAX).partitions)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise _translated(error, doing=f"describe {name}") from error
            except concurrent.futures.TimeoutError as error:
                raise _no_answer(f"describe {name}") from error
        return counts

    def _partition_counts_once_known(self, names: Sequence[str]) -> dict[str, int]:
        """As `_partition_counts`, when every broker that is asked has heard of new topics."""
        deadline = time.monotonic() + MAKE_SECONDS_MAX
        while True:
            counts = self._partition_counts(names)
            missing = [name for name in names if name not in counts]
            if not missing:
                return counts
            if time.monotonic() > deadline:
                raise _no_answer(f"show {missing[0]}, which was just made")
            time.sleep(KNOWN_SECONDS)

    def _make(self, plans: Sequence[TopicPlan]) -> set[str]:
        """Make the topics; the names of those that did not exist."""
        if not plans:
            return set()
        answers = self._admin.create_topics(
            [
                NewTopic(
                    plan.name,
                    num_partitions=plan.partitions,
                    replication_factor=plan.replication_factor,
                    config=dict(plan.settings),
                )
                for plan in plans
            ],
            operation_timeout=MAKE_SECONDS_MAX,
            request_timeout=MAKE_SECONDS_MAX,
        )
        made = set()
        for name, answer in answers.items():
            try:
                answer.result(MAKE_SECONDS_MAX)
                made.add(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise _translated(error, doing=f"make {name}") from error
            except concurrent.futures.TimeoutError as error:
                raise _no_answer(f"make {name}") from error
        return made

    def _differences(self, plans: Sequence[TopicPlan]) -> dict[str, dict[str, tuple[str, str]]]:
        """Topic -> setting -> (found, planned); each difference is a warning in the log."""
        if not plans:
            return {}
        answers = self._admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, plan.name) for plan in plans],
            request_timeout=ANSWER_SECONDS_MAX,
        )
        planned = {plan.name: plan.settings for plan in plans}
        differences = {}
        for resource, answer in answers.items():
            try:
                entries = answer.result(ANSWER_SECONDS_MAX)
            except KafkaException as error:
                raise _translated(error, doing=f"read the settings of {resource.name}") from error
            except concurrent.futures.TimeoutError as error:
                raise _no_answer(f"read the settings of {resource.name}") from error
            differences[resource.name] = _difference(planned[resource.name], entries)
        for topic, different in differences.items():
            for setting, (found, wanted) in different.items():
                logs.logger("topics").warning(
                    "topic setting differs",
                    topic=topic,
                    setting=setting,
                    found=found,
                    planned=wanted,
                )
        return differences


def _check_partitions(plan: TopicPlan, found: int) -> None:
    if plan.partitions_matter and found != plan.partitions:
        raise PartitionCountDiffers(topic=plan.name, found=found, wanted=plan.partitions)


def _difference(
    planned: Mapping[str, str], entries: Mapping[str, ConfigEntry]
) -> dict[str, tuple[str, str]]:
    # A broker that does not know a setting does not list it.
    found = {name: str(entries[name].value) for name in planned if name in entries}
    return {
        name: (value, planned[name]) for name, value in found.items() if value != planned[name]
    }


def _translated(error: KafkaException, *, doing: str) -> KafkaUnreachable | TopicRefused:
    kafka_error: KafkaError = error.args[0]
    unreachable = {
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_CONTROLLER,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
    }
    if kafka_error.retriable() or kafka_error.code() in unreachable:
        return _no_answer(doing)
    return TopicRefused(
        f"Kafka refused to {doing}: {kafka_error.name()}, {kafka_error.str()}. The user of "
        "this service needs Create, Describe and DescribeConfigs on the namespace's topics."
    )


def _no_answer(doing: str) -> KafkaUnreachable:
    return KafkaUnreachable(
        f"Kafka did not answer the request to {doing}. Check that it runs and that "
        "KAFKA_BOOTSTRAP_SERVERS names it, for example KAFKA_BOOTSTRAP_SERVERS=localhost:9092."
    )
