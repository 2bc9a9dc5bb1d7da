"""`stripeline producer topics`: makes and checks every topic and shows them as a table."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from producer.kafka_topics import Topics, TopicState
from producer.settings import ProducerSettings
from producer.topics import TopicLayout, chosen_objects
from runtime import logs
from runtime.settings import load
from schemas.objects import load_catalogue
from schemas.topics import Names


def run() -> None:
    """Make and check all topics once.

    Raises:
        WrongSetting: a setting cannot be used, `OBJECTS` among them.
        KafkaUnreachable: no answer.
        TopicRefused: Kafka does not allow it.
        PartitionCountDiffers: a topic exists with another number of partitions.
    """
    settings = load(ProducerSettings)
    logs.configure(service="producer-topics")
    objects = chosen_objects(settings.objects, known=load_catalogue().names())
    topics = Topics(
        kafka=settings.kafka(),
        layout=TopicLayout(
            names=Names(namespace=settings.kafka_namespace),
            partitions=settings.topic_partitions,
            replication_factor=settings.topic_replication_factor,
        ),
    )
    Console().print(_table([*topics.ensure_streams(), *topics.ensure_objects(objects)]))


def _table(states: Sequence[TopicState]) -> Table:
    made = sum(state.made for state in states)
    table = Table(title=f"{len(states)} topics, {made} made now", title_justify="left")
    table.add_column("topic")
    table.add_column("partitions", justify="right")
    table.add_column("state")
    for state in states:
        table.add_row(state.name, str(state.partitions), _state(state))
    return table


def _state(state: TopicState) -> str:
    if state.made:
        return "made"
    if not state.differences:
        return "as planned"
    return "\n".join(
        f"{setting} is {found}, planned {planned}"
        for setting, (found, planned) in state.differences.items()
    )
