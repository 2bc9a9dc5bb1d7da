"""Schemas are registered and read at a registry; what is no registry is told."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Barrier, Thread
from typing import Any

import orjson
import pytest

from schemas.codec import BatchCodec, RecordCodec, frame, unframe
from schemas.compatibility import incompatibilities
from schemas.errors import RegistryUnreachable, SchemaRefused, SchemaUnknown
from schemas.objects import ObjectType, load_catalogue
from schemas.registry import Registry
from schemas.topics import Names
from tests.infrastructure import Infrastructure
from tests.schemas.drawn_records import as_columns
from tests.stock_registry import (
    AvroDeserializer,
    AvroSerializer,
    MessageField,
    Schema,
    SchemaRegistryClient,
    SerializationContext,
)

SUBSCRIPTION = load_catalogue().get("subscription")
EVERY_TYPE = (*load_catalogue(), load_catalogue().get("v2.core.account"))


@pytest.fixture
def registry(stack: Infrastructure) -> Iterator[Registry]:
    found = Registry(stack.registry)
    yield found
    found.close()


@pytest.fixture
def stock(stack: Infrastructure) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": stack.registry}) as client:
        yield client


def plausible_row(object_type: ObjectType) -> dict[str, Any]:
    """A record whose times a `datetime` can hold, as the stock deserializer makes them."""
    values = {"string": "é😀", "long": -(2**40), "double": 1.5, "boolean": True}
    row: dict[str, Any] = {}
    for field in object_type.schema["fields"]:
        branch = field["type"][1] if isinstance(field["type"], list) else field["type"]
        timed = isinstance(branch, dict) and "logicalType" in branch
        plain = branch["type"] if isinstance(branch, dict) else branch
        row[field["name"]] = 1_700_000_000_123_456 if timed else values[plain]
    return row


@pytest.mark.stack
@pytest.mark.parametrize("part", range(8))
def test_stock_serializer_and_deserializer_agree_on_every_schema(
    registry: Registry, stock: SchemaRegistryClient, namespace: str, part: int
) -> None:
    for object_type in EVERY_TYPE[part::8]:
        topic = Names(namespace=namespace).object_topic(object_type.name)
        subject = Names(namespace=namespace).subject(topic)
        row = plausible_row(object_type)
        schema_id = registry.register(subject, object_type.schema)
        ours = frame(schema_id, RecordCodec(object_type.schema).encode(row))
        context = SerializationContext(topic, MessageField.VALUE)

        theirs = AvroSerializer(
            stock, schema_text(registry, schema_id), conf={"auto.register.schemas": False}
        )(row, context)
        read = AvroDeserializer(stock)(ours, context)

        assert theirs == ours
        assert isinstance(read, dict)
        assert {name: as_micros(value) for name, value in read.items()} == row
        bodies = BatchCodec(object_type.schema).encode(as_columns([row] * 20), 20)
        assert bodies == [unframe(ours)[1]] * 20


def schema_text(registry: Registry, schema_id: int) -> str:
    return orjson.dumps(registry.schema(schema_id)).decode()


def as_micros(value: Any) -> Any:
    if not hasattr(value, "timestamp"):
        return value
    return round(value.timestamp() * 1_000_000)


@pytest.mark.stack
def test_registering_twice_gives_one_id_and_any_client_reads_the_schema(
    registry: Registry, stack: Infrastructure, namespace: str
) -> None:
    first = registry.register(f"{namespace}.subscription-value", SUBSCRIPTION.schema)
    again = Registry(stack.registry)

    assert again.register(f"{namespace}.subscription-value", SUBSCRIPTION.schema) == first
    assert again.schema(first) == SUBSCRIPTION.schema
    again.close()


@pytest.mark.stack
def test_many_who_register_a_new_subject_at_once_all_get_the_one_id(
    stack: Infrastructure, namespace: str
) -> None:
    start = Barrier(8)

    def register(_: int) -> int:
        registry = Registry(stack.registry)
        start.wait()
        try:
            return registry.register(f"{namespace}.subscription-value", SUBSCRIPTION.schema)
        finally:
            registry.close()

    with ThreadPoolExecutor(8) as threads:
        ids = set(threads.map(register, range(8)))

    assert len(ids) == 1


@pytest.mark.stack
def test_a_subject_that_was_not_held_to_anything_is_from_now_on(
    registry: Registry, stock: SchemaRegistryClient, namespace: str
) -> None:
    subject = f"{namespace}.subscription-value"
    stock.register_schema(subject, Schema('{"type": "record", "name": "Other", "fields": []}'))
    stock.set_compatibility(subject, "NONE")

    with pytest.raises(SchemaRefused):
        registry.register(subject, SUBSCRIPTION.schema)

    assert stock.get_compatibility(subject) == "FULL_TRANSITIVE"


@pytest.mark.stack
def test_a_subject_is_held_to_full_transitive(
    registry: Registry, stock: SchemaRegistryClient, namespace: str
) -> None:
    subject = f"{namespace}.subscription-value"

    registry.register(subject, SUBSCRIPTION.schema)

    assert stock.get_compatibility(subject) == "FULL_TRANSITIVE"


def with_fields(*fields: dict[str, Any], without: str = "") -> dict[str, Any]:
    names = {field["name"] for field in fields} | {without}
    kept = [field for field in SUBSCRIPTION.schema["fields"] if field["name"] not in names]
    return {**SUBSCRIPTION.schema, "fields": [*kept, *fields]}


NULLABLE_LONG = {"name": "brand_new", "type": ["null", "long"], "default": None}
CHANGES = {
    "a nullable field more": with_fields(NULLABLE_LONG),
    "a nullable field less": with_fields(without="status"),
    "a required field more": with_fields({"name": "brand_new", "type": "long"}),
    "a required field less": with_fields(without="_operation"),
    "another kind": with_fields({**NULLABLE_LONG, "name": "status"}),
    "no null any more": with_fields({"name": "status", "type": "string", "default": ""}),
    "a third branch": with_fields(
        {"name": "status", "type": ["null", "string", "long"], "default": None}
    ),
    "another name": {**SUBSCRIPTION.schema, "name": "Abonnement"},
}


@pytest.mark.stack
@pytest.mark.parametrize("change", CHANGES)
def test_the_offline_check_and_the_registry_say_the_same(
    registry: Registry, namespace: str, change: str
) -> None:
    subject = f"{namespace}.subscription-value"
    registry.register(subject, SUBSCRIPTION.schema)
    found = list(incompatibilities(SUBSCRIPTION.schema, CHANGES[change]))

    if found:
        with pytest.raises(SchemaRefused, match="409"):
            registry.register(subject, CHANGES[change])
    else:
        assert registry.register(subject, CHANGES[change]) > 0


@pytest.mark.stack
def test_each_earlier_version_counts_not_only_the_last(registry: Registry, namespace: str) -> None:
    subject = f"{namespace}.subscription-value"
    registry.register(subject, with_fields(NULLABLE_LONG))
    registry.register(subject, SUBSCRIPTION.schema)

    with pytest.raises(SchemaRefused, match="409"):
        registry.register(
            subject,
            with_fields({"name": "brand_new", "type": ["null", "string"], "default": None}),
        )


@pytest.mark.stack
def test_what_is_no_schema_and_what_is_no_id_are_refused(
    registry: Registry, namespace: str
) -> None:
    with pytest.raises(SchemaRefused):
        registry.register(f"{namespace}.x-value", {"type": "recor"})
    with pytest.raises(SchemaUnknown):
        registry.schema(2**31 - 1)


@pytest.mark.stack
def test_the_check_passes_a_registry_and_nothing_else(
    registry: Registry, stack: Infrastructure
) -> None:
    not_a_registry = Registry(stack.registry + "/no/such/api")

    registry.check()
    with pytest.raises(SchemaRefused):
        not_a_registry.check()
    not_a_registry.close()


def test_a_registry_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        registry = Registry(f"http://127.0.0.1:{unused.getsockname()[1]}", timeout_seconds=2)

        with pytest.raises(RegistryUnreachable):
            registry.register("x-value", SUBSCRIPTION.schema)
        with pytest.raises(RegistryUnreachable):
            registry.schema(1)
    registry.close()


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that gives every request the same answer."""
    status, body = request.param

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing: the test says what it expects."""

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "answering", [(500, b"{}"), (503, b"later"), (429, b"slower"), (408, b"")], indirect=True
)
def test_a_registry_that_cannot_answer_now_is_unreachable(answering: str) -> None:
    registry = Registry(answering)

    with pytest.raises(RegistryUnreachable):
        registry.schema(1)
    registry.close()


@pytest.mark.parametrize(
    "answering",
    [
        (404, b"<html>nothing here</html>"),
        (404, b'{"title":"another service","status":404}'),
        (403, b'{"error_code":40301,"message":"not for you"}'),
        (401, b"who are you"),
        (200, b"<html>"),
        (200, b'{"schemaType":"PROTOBUF","schema":"x"}'),
        (200, b'{"schema":"\\"string\\""}'),
    ],
    indirect=True,
)
def test_an_answer_that_no_waiting_changes_is_a_refusal(answering: str) -> None:
    registry = Registry(answering)

    with pytest.raises(SchemaRefused) as raised:
        registry.schema(1)
    assert not isinstance(raised.value, SchemaUnknown)
    registry.close()
