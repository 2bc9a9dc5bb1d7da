"""Reads an event and the cells of its object in one pass over the bytes, where nothing is odd.

The object's type must be known before its bytes are read: it is guessed from the record key, whose
prefix (`sub_`, `in_`) tells it nearly always, and checked afterwards. Whatever is odd (an unknown
type or field, a value that does not fit, a wrong guess) is read the long way instead.
"""

from typing import Any, Final

import msgspec

from producer.normalise import NOT_JSON, Cells, Normaliser
from producer.observation import Observation, operation_of
from producer.reading import SECOND_MAX, InboxRecord
from schemas.inbox import Envelope, Kind

PREFIXES_MAX: Final = 10_000
"""Chosen ids have no prefix in common; the guesses are forgotten when there are so many."""


class QuickReader:
    """Reads events whose object type was met before."""

    def __init__(self) -> None:
        self._guesses: dict[str, str] = {}
        self._decoders: dict[str, _EventDecoder] = {}

    def learn(self, observation: Observation, normaliser: Normaliser) -> None:
        """Take note of an event that was read the long way."""
        if observation.kind is not Kind.EVENT or not normaliser.identified_by_id:
            return
        if len(self._guesses) >= PREFIXES_MAX:
            self._guesses.clear()
        name = observation.object_name
        self._guesses[_prefix(observation.key)] = name
        known = self._decoders.get(name)
        if known is None or known.struct is not normaliser.struct:
            self._decoders[name] = _EventDecoder(normaliser)

    def read(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> tuple[Observation, Cells] | None:
        """The observation and its cells; none if it must be read the long way.

        Args:
            record: of the inbox.
            envelope: an event's; but for `received_at`, which is given beside it.
            received_at: microseconds since 1970 UTC.
            key: the record's.
        """
        name = self._guesses.get(_prefix(key))
        if name is None:
            return None
        decoder = self._decoders[name]
        try:
            event = decoder.decode(record.value)
            previous = bytes(event.data.previous_attributes)
            if previous:
                # Only looked at when it is compared or published: then it must not fail.
                _DECODE(previous)
        except NOT_JSON:
            return None
        cells = decoder.cells(event.data.object)
        account_id = event.account or envelope.account_id
        identity = f"{account_id}/{cells[0]}" if account_id else cells[0]
        odd = identity != key or cells[decoder.object_at] != name
        if odd or not 0 < event.created < SECOND_MAX:
            return None
        observation = Observation(
            kind=Kind.EVENT,
            source=envelope.source,
            evidence=None,
            object_name=name,
            key=key,
            account_id=account_id,
            second=event.created,
            operation=operation_of(event.type),
            event_id=event.id,
            event_type=event.type,
            api_version=event.api_version,
            previous=previous,
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
            finer=envelope.finer,
        )
        return observation, cells


class _EventDecoder:
    """Decodes events about one type of object."""

    def __init__(self, normaliser: Normaliser) -> None:
        self.struct = normaliser.struct
        self.cells = normaliser.cells
        self.object_at = normaliser.position("object")
        data = msgspec.defstruct(
            "Data",
            [
                ("object", self.struct),
                ("previous_attributes", msgspec.Raw, msgspec.Raw()),
            ],
            gc=False,
        )
        event = msgspec.defstruct(
            "Event",
            [
                ("id", str),
                ("type", str),
                ("created", int),
                ("data", data),
                ("api_version", str | None, None),
                ("account", str | None, None),
            ],
            gc=False,
        )
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(event)
        self.decode = decoder.decode


def _prefix(key: str) -> str:
    return key.rpartition("/")[2].partition("_")[0]


_DECODE: Final = msgspec.json.Decoder().decode
