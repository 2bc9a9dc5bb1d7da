"""What can be wrong with a schema, a registry or a framed record.

SchemaError
+-- BadFrame              bytes that are not a framed Avro record  -> dead-letter the record
+-- BadRecord             a body, record or batch that does not fit its schema -> dead-letter it
+-- RegistryUnreachable   the registry gave no answer              -> retry for as long as it takes
+-- SchemaRefused         the registry answered no                 -> stop; the message says why
    +-- SchemaUnknown     it has no schema of this id              -> dead-letter the record
"""


class SchemaError(Exception):
    """Something is wrong with a schema, the registry or a record's bytes."""


class BadFrame(SchemaError):
    """The value is not a zero byte, a schema id and an Avro body."""


class BadRecord(SchemaError):
    """The bytes, the record or the columns do not fit the schema."""


class RegistryUnreachable(SchemaError):
    """The schema registry could not be asked or could not answer; ask again later."""


class SchemaRefused(SchemaError):
    """The schema registry does not take or know the schema; asking again changes nothing."""


class SchemaUnknown(SchemaRefused):
    """The schema registry has no schema of the id that a record names."""
