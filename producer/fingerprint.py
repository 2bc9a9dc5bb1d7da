"""What two observations of one object are compared by, and what of them differs.

A record's hash header answers nearly always. It does not where a type has links that Stripe makes
anew with every look, nor where the record was written with another version of its schema: there
the record's own columns are hashed again, in the shape of today.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

from producer.order import Entry
from producer.preparing import Candidate
from producer.record import hash_of
from producer.type_tools import TypeTools
from producer.versions import is_of_versions
from schemas.codec import RecordCodec, unframe
from schemas.meta import API_VERSION, EXTRA

PASSING: Final[Mapping[str, frozenset[str]]] = {
    "charge": frozenset({"receipt_url"}),
    "credit_note": frozenset({"pdf"}),
    "identity.verification_session": frozenset({"client_secret", "url"}),
    "invoice": frozenset({"hosted_invoice_url", "invoice_pdf"}),
}
"""Object type -> columns with links that hold the time at which they were made: they differ each
time that an object is shown, and say nothing of a change."""


class Schemas(Protocol):
    """What is needed of the registry."""

    def schema(self, schema_id: int) -> dict[str, Any]:
        """The schema that a framed record's id names."""
        ...


class Fingerprints:
    """Fingerprints of the objects of one type: equal ones say the same."""

    def __init__(self, *, tools: TypeTools, registry: Schemas) -> None:
        self._tools = tools
        self._registry = registry
        self._passing = PASSING.get(tools.object_type.name, frozenset())
        self._lasting = [
            name for name in tools.half_codec.field_names if name not in self._passing
        ]
        self._names = [str(field["name"]) for field in tools.object_type.schema["fields"]]
        self._codecs: dict[int, RecordCodec] = {}
        self._of_today: dict[int, bool] = {}

    def of_candidate(self, candidate: Candidate) -> bytes:
        """The fingerprint of what Stripe showed."""
        if not self._passing:
            return candidate.body_hash
        return self._of_lasting(self.columns(candidate))

    def of_record(self, value: bytes, entry: Entry) -> bytes:
        """The fingerprint of a published record.

        Raises:
            BadFrame, BadRecord: it is no record of its schema.
            RegistryUnreachable: ask again later.
        """
        if self._passing:
            return self._of_lasting(self.decoded(value))
        schema_id, _ = unframe(value)
        if self._is_of_today(schema_id):
            return entry.body_hash
        return hash_of(self._tools.half_codec.encode_one(self.decoded(value)))

    def columns(self, candidate: Candidate) -> dict[str, Any]:
        """The columns of what Stripe showed, as its record would have them."""
        return self._tools.half_codec.decode_one(candidate.half)

    def decoded(self, value: bytes) -> dict[str, Any]:
        """Every field of a published record.

        Raises:
            BadFrame, BadRecord: it is no record of its schema.
            RegistryUnreachable: ask again later.
        """
        schema_id, body = unframe(value)
        codec = self._codecs.get(schema_id)
        if codec is None:
            codec = self._codecs[schema_id] = RecordCodec(self._registry.schema(schema_id))
        return codec.decode(body)

    def drift(self, record: Mapping[str, Any], shown: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the columns in which a record differs from what Stripe shows."""
        return tuple(
            name
            for name in self._tools.half_codec.field_names
            if name not in self._passing and record.get(name) != shown.get(name)
        )

    def is_of_versions(
        self, drift: tuple[str, ...], record: Mapping[str, Any], shown: Mapping[str, Any]
    ) -> bool:
        """Whether what differs comes of the API version that the record's event was in."""
        version = record.get(API_VERSION)
        if version is None:
            return False
        object_type = self._tools.object_type
        columns = {column.name: column for column in object_type.columns}
        return all(
            name == EXTRA
            or is_of_versions(
                object_type.name,
                columns[name],
                version=version,
                told=record.get(name),
                shown=shown.get(name),
            )
            for name in drift
        )

    def _of_lasting(self, columns: Mapping[str, Any]) -> bytes:
        return hash_of(_ENCODE([columns.get(name) for name in self._lasting]))

    def _is_of_today(self, schema_id: int) -> bool:
        found = self._of_today.get(schema_id)
        if found is None:
            written = [str(field["name"]) for field in self._registry.schema(schema_id)["fields"]]
            found = self._of_today[schema_id] = written == self._names
        return found


_ENCODE: Final = msgspec.msgpack.Encoder().encode
