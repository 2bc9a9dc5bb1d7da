"""The registry client and the Avro serializers that other services use.

Imported in one place, because a library behind them warns of its own future when it is imported.
"""

import warnings

with warnings.catch_warnings(record=True):
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
    from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext

__all__ = [
    "AvroDeserializer",
    "AvroSerializer",
    "MessageField",
    "Schema",
    "SchemaRegistryClient",
    "SerializationContext",
]
