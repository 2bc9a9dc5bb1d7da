"""Topics are made as planned, never changed, and another partition count refuses to start."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from producer.errors import KafkaUnreachable, PartitionCountDiffers
from producer.kafka_topics import Topics
from producer.topics import INBOX_RECORD_BYTES_MAX, TopicLayout, TopicPlan, chosen_objects
from runtime.errors import ExitCode, WrongSetting
from schemas.topics import Names
from tests.infrastructure import Infrastructure

REQUEST_SECONDS_MAX = 30.0
KNOWN = ("customer", "checkout.session", "subscription")
NOWHERE = "127.0.0.1:1"


def _layout(namespace: str, *, partitions: int = 2) -> TopicLayout:
    return TopicLayout(
        names=Names(namespace=namespace), partitions=partitions, replication_factor=1
    )


def _topics(kafka: str, namespace: str, *, partitions: int = 2) -> Topics:
    return Topics(
        kafka={"bootstrap.servers": kafka}, layout=_layout(namespace, partitions=partitions)
    )


def _admin(stack: Infrastructure) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.kafka})


def _settings_of(stack: Infrastructure, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = _admin(stack)
    found = admin.describe_configs([resource])[resource].result(REQUEST_SECONDS_MAX)
    return {name: entry.value for name, entry in found.items()}


def _make(stack: Infrastructure, topic: str, *, partitions: int, **settings: str) -> None:
    config = {name.replace("_", "."): value for name, value in settings.items()}
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
    admin = _admin(stack)
    admin.create_topics([new])[topic].result(REQUEST_SECONDS_MAX)


def _run(kafka: str, namespace: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stripeline", "producer", "topics"],
        env={
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "KAFKA_NAMESPACE": namespace,
            "TOPIC_PARTITIONS": "2",
            "OBJECTS": "customer",
            "COLUMNS": "200",
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.stack
def test_missing_topics_are_made_with_every_planned_setting(
    stack: Infrastructure, namespace: str
) -> None:
    topics = _topics(stack.kafka, namespace)
    plans = [*_layout(namespace).streams(), *_layout(namespace).objects(["checkout.session"])]

    states = [*topics.ensure_streams(), *topics.ensure_objects(["checkout.session"])]

    assert [state.name for state in states] == [
        f"{namespace}-inbox",
        f"{namespace}-cursors",
        f"{namespace}-dead-letters",
        f"{namespace}.checkout_session",
    ]
    assert all(state.made for state in states)
    for plan in plans:
        found = _settings_of(stack, plan.name)
        assert {name: found[name] for name in plan.settings} == plan.settings


@pytest.mark.stack
def test_a_second_look_finds_all_as_planned(stack: Infrastructure, namespace: str) -> None:
    topics = _topics(stack.kafka, namespace)
    topics.ensure_streams()

    again = topics.ensure_streams()

    assert not any(state.made for state in again)
    assert [state.differences for state in again] == [{}, {}, {}]


@pytest.mark.stack
@pytest.mark.parametrize("kind", ["inbox", "object"])
def test_another_partition_count_refuses_with_both_numbers_and_the_reason(
    stack: Infrastructure, namespace: str, kind: str
) -> None:
    name = f"{namespace}-inbox" if kind == "inbox" else f"{namespace}.customer"
    _make(stack, name, partitions=3)
    topics = _topics(stack.kafka, namespace, partitions=2)

    with pytest.raises(PartitionCountDiffers) as caught:
        topics.ensure_streams() if kind == "inbox" else topics.ensure_objects(["customer"])

    assert (caught.value.topic, caught.value.found, caught.value.wanted) == (name, 3, 2)
    assert "TOPIC_PARTITIONS=3" in str(caught.value)
    assert "order" in str(caught.value)


@pytest.mark.stack
def test_a_differing_setting_is_shown_and_left_alone(
    stack: Infrastructure, namespace: str
) -> None:
    inbox = f"{namespace}-inbox"
    _make(stack, inbox, partitions=2, retention_ms="3600000")

    state = _topics(stack.kafka, namespace).ensure_streams()[0]

    assert state.differences["retention.ms"] == ("3600000", "2592000000")
    assert state.differences["max.message.bytes"][1] == str(INBOX_RECORD_BYTES_MAX)
    assert _settings_of(stack, inbox)["retention.ms"] == "3600000"


@pytest.mark.stack
def test_two_services_that_start_together_make_the_topics_once(
    stack: Infrastructure, namespace: str
) -> None:
    with ThreadPoolExecutor(4) as threads:
        states = list(
            threads.map(
                lambda _: _topics(stack.kafka, namespace).ensure_streams(),
                range(4),
            )
        )

    assert [sum(seen[at].made for seen in states) for at in range(3)] == [1, 1, 1]


@pytest.mark.stack
def test_asking_whether_the_inbox_is_there_does_not_make_it(
    stack: Infrastructure, namespace: str
) -> None:
    topics = _topics(stack.kafka, namespace)
    assert not topics.inbox_exists()
    assert not topics.inbox_exists()
    topics.ensure_streams()
    assert topics.inbox_exists()


def test_kafka_away_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(KafkaUnreachable, match="KAFKA_BOOTSTRAP_SERVERS"):
        _topics(NOWHERE, "nowhere").inbox_exists()


@pytest.mark.stack
def test_the_command_shows_every_topic_and_what_differs(
    stack: Infrastructure, namespace: str
) -> None:
    made = _run(stack.kafka, namespace)
    again = _run(stack.kafka, namespace)
    other = _run(stack.kafka, namespace, TOPIC_PARTITIONS="5")

    assert (made.returncode, again.returncode) == (ExitCode.OK, ExitCode.OK)
    assert "4 topics, 4 made now" in made.stdout
    assert f"{namespace}.customer" in made.stdout
    assert "4 topics, 0 made now" in again.stdout
    assert other.returncode == ExitCode.FAILED
    assert "TOPIC_PARTITIONS=2" in other.stderr.replace("\n", "")


def test_the_command_teaches_about_a_wrong_object_and_an_absent_kafka() -> None:
    wrong = _run(NOWHERE, "nowhere", OBJECTS="custmer")
    absent = _run(NOWHERE, "nowhere")

    assert wrong.returncode == ExitCode.WRONG_USAGE
    assert "Did you mean customer?" in wrong.stderr
    assert absent.returncode == ExitCode.UNREACHABLE
    assert "Kafka did not answer" in absent.stderr


def test_objects_are_chosen_by_name_in_the_order_given() -> None:
    assert chosen_objects("all", known=KNOWN) == KNOWN
    assert chosen_objects(" subscription, customer,customer,", known=KNOWN) == (
        "subscription",
        "customer",
    )


@pytest.mark.parametrize("wish", ["subscriptions", ",", "checkout_session"])
def test_an_object_that_is_none_is_a_wrong_setting(wish: str) -> None:
    with pytest.raises(WrongSetting, match="OBJECTS"):
        chosen_objects(wish, known=KNOWN)


def _plans() -> list[TopicPlan]:
    layout = TopicLayout(names=Names(), partitions=6, replication_factor=3)
    return [*layout.streams(), *layout.objects(KNOWN)]


def test_object_topics_have_the_inboxs_partitions_and_are_compacted_alone() -> None:
    inbox, *_, subscription = _plans()
    assert subscription.partitions == inbox.partitions == 6
    assert subscription.settings["cleanup.policy"] == "compact"
    assert inbox.settings["cleanup.policy"] == "delete"


def test_with_three_copies_an_acknowledged_record_is_on_two_brokers() -> None:
    assert {plan.settings["min.insync.replicas"] for plan in _plans()} == {"2"}
    assert {plan.settings["unclean.leader.election.enable"] for plan in _plans()} == {"false"}
