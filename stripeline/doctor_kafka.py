"""What the doctor asks Kafka: brokers, topics, consumer groups."""

import concurrent.futures
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    ResourceType,
)

from runtime.kafka_offsets import LATEST, listed_offsets
from schemas.topics import Names
from stripeline.findings import Finding, Verdict, counted

PART = "Kafka"
MAKE_TOPICS = "Run `stripeline producer topics`; the services make them at start, too."


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic as Kafka shows it."""

    name: str
    partitions: int
    cleanup_policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One consumer group as Kafka shows it.

    Attributes:
        members: consumers that are in it now.
        lag: records of its topics' ends that it has not committed; none before its first commit.
    """

    name: str
    members: int
    lag: int | None


def kafka_findings(
    kafka: Mapping[str, str | int | float | bool],
    *,
    names: Names,
    partitions: int | None,
    timeout_seconds: float,
) -> list[Finding]:
    """Whether the brokers answer, and whether topics and groups are as they should be.

    Args:
        kafka: the librdkafka properties that say how the brokers are reached.
        partitions: the setting TOPIC_PARTITIONS; none where no producer is installed.
        timeout_seconds: for each request.
    """
    cluster = _Cluster(kafka, timeout_seconds=timeout_seconds)
    addresses = str(kafka["bootstrap.servers"])
    try:
        brokers = cluster.brokers()
        topics = cluster.topics(names)
    except (KafkaException, concurrent.futures.TimeoutError) as error:
        return [_no_answer(addresses, cluster.refusal or _words(error), cluster.refusal)]
    reached = Finding(
        part=PART, subject="brokers", verdict=Verdict.FINE, words=f"{brokers} at {addresses}"
    )
    return [
        reached,
        *judged_topics(topics, names=names, partitions=partitions),
        _group_finding(
            cluster, names.relay_group, names=names, topics=topics, reads=[names.inbox], marks=0
        ),
        _group_finding(
            cluster,
            names.sink_group,
            names=names,
            topics=topics,
            reads=[name for name in topics if name.startswith(f"{names.namespace}.")],
            marks=1,
        ),
    ]


def judged_topics(
    topics: Mapping[str, Topic], *, names: Names, partitions: int | None
) -> list[Finding]:
    """What is to be said of the topics of one namespace, keyed by name."""
    wanted = {names.inbox: "delete", names.cursors: "compact", names.dead_letters: "delete"}
    found = [
        _judged_topic(
            topics.get(name),
            name=name,
            partitions=partitions if name == names.inbox else None,
            cleanup_policy=policy,
        )
        for name, policy in wanted.items()
    ]
    objects = [topic for topic in topics.values() if topic.name not in wanted]
    judged = [
        _judged_topic(
            topic,
            name=topic.name,
            partitions=topics[names.inbox].partitions if names.inbox in topics else partitions,
            cleanup_policy="compact",
        )
        for topic in objects
    ]
    faults = [finding for finding in judged if finding.verdict is not Verdict.FINE]
    fine = len(judged) - len(faults)
    summary = Finding(
        part=PART,
        subject="object topics",
        verdict=Verdict.FINE if judged else Verdict.NOTE,
        words=f"{fine} of {len(judged)} as planned" if judged else "none yet",
        advice="" if judged else MAKE_TOPICS,
    )
    return [*found, *faults, summary]


def judged_group(group: Group, *, names: Names) -> Finding:
    """What is to be said of a consumer group."""
    command = "producer relay" if group.name == names.relay_group else "sink run"
    if group.lag is None:
        lag = "has committed nothing yet"
    elif group.lag == 0:
        lag = "nothing left to read"
    else:
        lag = f"{counted(group.lag, 'offset')} behind"
    return Finding(
        part=PART,
        subject=f"group {group.name}",
        verdict=Verdict.FINE if group.members else Verdict.NOTE,
        words=f"{group.members} running, {lag}",
        advice="" if group.members else f"Start one with `stripeline {command}`.",
    )


def _group_finding(
    cluster: "_Cluster",
    name: str,
    *,
    names: Names,
    topics: Mapping[str, Topic],
    reads: list[str],
    marks: int,
) -> Finding:
    try:
        group = cluster.group(name, topics=reads, known=topics, marks=marks)
    except (KafkaException, concurrent.futures.TimeoutError) as error:
        return Finding(
            part=PART,
            subject=f"group {name}",
            verdict=Verdict.NOTE,
            words=f"Kafka does not tell: {_words(error)}",
            advice="Try again in a moment, or grant the user Describe on the group.",
        )
    return judged_group(group, names=names)


def _judged_topic(
    topic: Topic | None, *, name: str, partitions: int | None, cleanup_policy: str
) -> Finding:
    if topic is None:
        return _wrong(name, "is missing", MAKE_TOPICS)
    if partitions is not None and topic.partitions != partitions:
        return _wrong(
            name,
            f"has {counted(topic.partitions, 'partition')}, {partitions} asked for",
            f"Set TOPIC_PARTITIONS={topic.partitions}, or start anew with another "
            "KAFKA_NAMESPACE: a topic's partitions cannot change without losing the order.",
        )
    if topic.cleanup_policy != cleanup_policy:
        return _wrong(
            name,
            f"has cleanup.policy={topic.cleanup_policy}, {cleanup_policy} is needed",
            f"`kafka-configs --alter --topic {name} --add-config cleanup.policy={cleanup_policy}`",
        )
    return Finding(
        part=PART,
        subject=f"topic {name}",
        verdict=Verdict.FINE,
        words=f"{counted(topic.partitions, 'partition')}, {topic.cleanup_policy}",
    )


def _wrong(name: str, words: str, advice: str) -> Finding:
    return Finding(
        part=PART, subject=f"topic {name}", verdict=Verdict.WRONG, words=words, advice=advice
    )


def _no_answer(addresses: str, words: str, refusal: str) -> Finding:
    if refusal:
        return Finding(
            part=PART,
            subject="brokers",
            verdict=Verdict.WRONG,
            words=f"{addresses} refuses: {words}",
            advice="Correct KAFKA_USERNAME, KAFKA_PASSWORD, KAFKA_SASL_MECHANISM or "
            "KAFKA_SECURITY_PROTOCOL, or grant the user Describe on the namespace's topics.",
        )
    return Finding(
        part=PART,
        subject="brokers",
        verdict=Verdict.UNREACHABLE,
        words=f"{addresses} does not answer: {words}",
        advice="Start Kafka (`stripeline stack up` starts one here), or correct "
        "KAFKA_BOOTSTRAP_SERVERS or KAFKA_SECURITY_PROTOCOL.",
    )


def _words(error: KafkaException | concurrent.futures.TimeoutError) -> str:
    if isinstance(error, KafkaException) and error.args:
        first = error.args[0]
        return f"{first.name()}, {first.str()}" if isinstance(first, KafkaError) else str(first)
    return "no answer in time"


Answer = TypeVar("Answer")


class _Cluster:
    """The questions, each with its own time limit."""

    def __init__(
        self, kafka: Mapping[str, str | int | float | bool], *, timeout_seconds: float
    ) -> None:
        self.refusal = ""
        self._timeout_seconds = timeout_seconds
        silent = logging.getLogger("stripeline.doctor.kafka")
        silent.addHandler(logging.NullHandler())
        silent.propagate = False
        configuration: dict[str, Any] = {**kafka, "error_cb": self._on_error}
        self._admin = AdminClient(configuration, logger=silent)

    def _on_error(self, error: KafkaError) -> None:
        # librdkafka reports a refused login here, and to the caller only that time ran out.
        if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
            self.refusal = error.str()

    def brokers(self) -> str:
        """How many brokers there are, in words."""
        try:
            count = len(self._admin.list_topics(timeout=self._timeout_seconds).brokers)
        except KafkaException:
            self._admin.poll(0)
            raise
        return counted(count, "broker")

    def topics(self, names: Names) -> dict[str, Topic]:
        """The topics of the namespace, by name."""
        known = self._admin.list_topics(timeout=self._timeout_seconds).topics
        own = {names.inbox, names.cursors, names.dead_letters}
        mine = {
            name: len(topic.partitions)
            for name, topic in sorted(known.items())
            if name in own or name.startswith(f"{names.namespace}.")
        }
        if not mine:
            return {}
        answers = self._admin.describe_configs(
            [ConfigResource(ResourceType.TOPIC, name) for name in mine],
            request_timeout=self._timeout_seconds,
        )
        return {
            resource.name: Topic(
                name=resource.name,
                partitions=mine[resource.name],
                cleanup_policy=str(self._wait(answer)["cleanup.policy"].value),
            )
            for resource, answer in answers.items()
        }

    def group(
        self, name: str, *, topics: list[str], known: Mapping[str, Topic], marks: int
    ) -> Group:
        """Members and lag of a group that reads `topics`.

        Args:
            marks: offsets at the end of a partition that hold no record: a topic written in
                transactions ends with the mark of the last one, which no reader is given.
        """
        described = self._admin.describe_consumer_groups(
            [name], request_timeout=self._timeout_seconds
        )
        try:
            members = len(self._wait(described[name]).members)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
            return Group(name=name, members=0, lag=None)
        committed = self._committed(name, topics=topics, known=known)
        return Group(name=name, members=members, lag=self._lag(committed, marks=marks))

    def _committed(
        self, name: str, *, topics: list[str], known: Mapping[str, Topic]
    ) -> dict[TopicPartition, int]:
        wanted = [
            TopicPartition(topic, partition)
            for topic in topics
            if topic in known
            for partition in range(known[topic].partitions)
        ]
        if not wanted:
            return {}
        answers = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(name, wanted)], request_timeout=self._timeout_seconds
        )
        partitions = self._wait(answers[name]).topic_partitions or []
        return {TopicPartition(found.topic, found.partition): found.offset for found in partitions}

    def _lag(self, committed: Mapping[TopicPartition, int], *, marks: int) -> int | None:
        if not any(offset >= 0 for offset in committed.values()):
            return None
        ends = listed_offsets(
            self._admin, dict.fromkeys(committed, LATEST), seconds_max=self._timeout_seconds
        )
        return sum(
            max(0, end - max(0, committed[partition]) - marks) for partition, end in ends.items()
        )

    def _wait(self, answer: "concurrent.futures.Future[Answer]") -> Answer:
        # A little longer than the request itself, whose own error says more.
        return answer.result(self._timeout_seconds + 1)
