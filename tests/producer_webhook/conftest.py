"""A running webhook service that the tests of one file share."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.services import Service, running
from tests.infrastructure import Infrastructure
from tests.isolation import fresh_namespace
from tests.producer_webhook.inbox import InboxReader, Stored
from tests.producer_webhook.requests import SECRET, Sender

OLD_SECRET = "whsec_being_replaced"
PARTITIONS = 3


def webhook_service(
    kafka: str, namespace: str, folder: Path, name: str = "webhook", **settings: str
) -> Service:
    """A webhook service that is not started yet; `settings` override."""
    return Service(
        "producer",
        "webhook",
        environment={
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "KAFKA_NAMESPACE": namespace,
            "TOPIC_PARTITIONS": str(PARTITIONS),
            "STRIPE_WEBHOOK_SECRET": f"{SECRET},{OLD_SECRET}",
            "STRIPE_API_KEY": "",
            "WEBHOOK_HOST": "127.0.0.1",
            "WEBHOOK_PORT": "0",
            **settings,
        },
        folder=folder,
        name=name,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A service, a sender to it and a reader of its inbox."""

    service: Service
    sender: Sender
    reader: InboxReader

    def stored(self) -> list[Stored]:
        """All that the inbox holds."""
        return self.reader.read()


@pytest.fixture(scope="module")
def webhook(stack: Infrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A webhook service with two secrets, and a key of test mode."""
    with fresh_namespace(stack) as namespace:
        service = webhook_service(
            stack.kafka,
            namespace,
            tmp_path_factory.mktemp("webhook"),
            STRIPE_API_KEY="sk_test_123",
        )
        with running(service):
            sender = Sender(int(service.said("port")))
            reader = InboxReader(stack, namespace)
            yield Running(service=service, sender=sender, reader=reader)
            reader.close()
            sender.close()
