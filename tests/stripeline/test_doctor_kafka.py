"""What the doctor says of brokers, topics and consumer groups."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from schemas.topics import Names
from stripeline.doctor_kafka import Group, Topic, judged_group, judged_topics, kafka_findings
from stripeline.findings import Finding, Verdict
from tests.infrastructure import Infrastructure

NAMES = Names()
REQUEST_SECONDS_MAX = 30.0


def topics(*wanted: tuple[str, int, str]) -> dict[str, Topic]:
    return {
        name: Topic(name=name, partitions=partitions, cleanup_policy=policy)
        for name, partitions, policy in wanted
    }


STREAMS = (
    ("stripe-inbox", 6, "delete"),
    ("stripe-cursors", 1, "compact"),
    ("stripe-dead-letters", 1, "delete"),
)


def of(found: list[Finding], subject: str) -> Finding:
    [one] = [finding for finding in found if finding.subject == subject]
    return one


def test_topics_as_planned_are_fine() -> None:
    planned = topics(*STREAMS, ("stripe.customer", 6, "compact"), ("stripe.price", 6, "compact"))

    found = judged_topics(planned, names=NAMES, partitions=6)

    assert {finding.verdict for finding in found} == {Verdict.FINE}
    assert of(found, "object topics").words == "2 of 2 as planned"


def test_a_missing_stream_calls_for_the_topics_command() -> None:
    found = judged_topics(topics(*STREAMS[1:]), names=NAMES, partitions=6)

    missing = of(found, "topic stripe-inbox")
    assert missing.verdict is Verdict.WRONG
    assert "stripeline producer topics" in missing.advice


def test_another_partition_count_names_the_setting_that_fits() -> None:
    found = judged_topics(topics(*STREAMS), names=NAMES, partitions=12)

    differs = of(found, "topic stripe-inbox")
    assert differs.verdict is Verdict.WRONG
    assert "6 partitions, 12 asked for" in differs.words
    assert "TOPIC_PARTITIONS=6" in differs.advice


def test_an_object_topic_is_held_to_the_inbox_and_not_to_the_setting() -> None:
    mixed = topics(*STREAMS, ("stripe.price", 3, "compact"), ("stripe.plan", 6, "compact"))

    found = judged_topics(mixed, names=NAMES, partitions=None)

    assert of(found, "topic stripe.price").verdict is Verdict.WRONG
    assert of(found, "object topics").words == "1 of 2 as planned"


def test_a_compacted_inbox_and_an_object_topic_that_deletes_are_wrong() -> None:
    mixed = topics(
        ("stripe-inbox", 6, "compact"), *STREAMS[1:], ("stripe.price", 6, "compact,delete")
    )

    found = judged_topics(mixed, names=NAMES, partitions=6)

    assert "cleanup.policy=delete" in of(found, "topic stripe-inbox").advice
    assert "cleanup.policy=compact" in of(found, "topic stripe.price").advice


@pytest.mark.parametrize(
    ("members", "lag", "verdict", "words"),
    [
        (2, 0, Verdict.FINE, "2 running, nothing left to read"),
        (1, 1200, Verdict.FINE, "1 running, 1,200 offsets behind"),
        (0, 1200, Verdict.NOTE, "0 running, 1,200 offsets behind"),
        (0, None, Verdict.NOTE, "0 running, has committed nothing yet"),
    ],
)
def test_a_group_tells_its_members_and_its_lag(
    members: int, lag: int | None, verdict: Verdict, words: str
) -> None:
    found = judged_group(Group(name="stripe-relay", members=members, lag=lag), names=NAMES)

    assert (found.verdict, found.words) == (verdict, words)


def test_a_group_without_members_names_its_own_service() -> None:
    relay = judged_group(Group(name="stripe-relay", members=0, lag=None), names=NAMES)
    sink = judged_group(Group(name="stripe-sink", members=0, lag=None), names=NAMES)

    assert "stripeline producer relay" in relay.advice
    assert "stripeline sink run" in sink.advice


def test_brokers_that_do_not_answer_are_unreachable() -> None:
    found = kafka_findings(
        {"bootstrap.servers": "127.0.0.1:1"}, names=NAMES, partitions=6, timeout_seconds=0.5
    )

    [only] = found
    assert only.verdict is Verdict.UNREACHABLE
    assert "127.0.0.1:1" in only.words
    assert "KAFKA_BOOTSTRAP_SERVERS" in only.advice


@pytest.fixture
def names(stack: Infrastructure, namespace: str) -> Names:
    """A namespace whose streams and one object topic exist, with two partitions."""
    names = Names(namespace=namespace)
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    plans = [
        NewTopic(names.inbox, num_partitions=2, config={"cleanup.policy": "delete"}),
        NewTopic(names.cursors, num_partitions=1, config={"cleanup.policy": "compact"}),
        NewTopic(names.dead_letters, num_partitions=1, config={"cleanup.policy": "delete"}),
        NewTopic(
            names.object_topic("price"), num_partitions=2, config={"cleanup.policy": "compact"}
        ),
    ]
    for future in admin.create_topics(plans).values():
        future.result(REQUEST_SECONDS_MAX)
    return names


@pytest.mark.stack
def test_a_running_installation_is_seen_with_its_members_and_its_lag(
    stack: Infrastructure, names: Names
) -> None:
    producer = Producer({"bootstrap.servers": stack.kafka})
    for number in range(5):
        producer.produce(names.inbox, key=f"k{number}", value=b"{}")
    assert producer.flush(REQUEST_SECONDS_MAX) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka,
            "group.id": names.relay_group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([names.inbox])
    first = consumer.poll(REQUEST_SECONDS_MAX)
    assert first is not None
    assert first.error() is None
    consumer.commit(message=first, asynchronous=False)

    found = kafka_findings(
        {"bootstrap.servers": stack.kafka}, names=names, partitions=2, timeout_seconds=10
    )

    consumer.close()
    assert of(found, "brokers").verdict is Verdict.FINE
    assert of(found, "object topics").words == "1 of 1 as planned"
    assert of(found, f"group {names.relay_group}").words == "1 running, 4 offsets behind"
    assert of(found, f"group {names.sink_group}").verdict is Verdict.NOTE
    assert {finding.verdict for finding in found} == {Verdict.FINE, Verdict.NOTE}


@pytest.mark.stack
def test_the_mark_of_a_transaction_is_no_lag(stack: Infrastructure, names: Names) -> None:
    topic = names.object_topic("price")
    producer = Producer({"bootstrap.servers": stack.kafka, "transactional.id": names.namespace})
    producer.init_transactions(REQUEST_SECONDS_MAX)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, key="price_1", value=b"x", partition=0)
    producer.commit_transaction(REQUEST_SECONDS_MAX)
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka,
            "group.id": names.sink_group,
            "enable.auto.commit": False,
        }
    )

    consumer.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    found = kafka_findings(
        {"bootstrap.servers": stack.kafka}, names=names, partitions=2, timeout_seconds=10
    )

    consumer.close()
    assert of(found, f"group {names.sink_group}").words == "0 running, nothing left to read"


@pytest.mark.stack
def test_the_doctor_makes_no_topic_by_asking_for_it(stack: Infrastructure, namespace: str) -> None:
    names = Names(namespace=namespace)

    found = kafka_findings(
        {"bootstrap.servers": stack.kafka}, names=names, partitions=6, timeout_seconds=10
    )

    assert of(found, f"topic {names.inbox}").words == "is missing"
    known = AdminClient({"bootstrap.servers": stack.kafka}).list_topics(timeout=30).topics
    assert not [name for name in known if name.startswith(namespace)]
