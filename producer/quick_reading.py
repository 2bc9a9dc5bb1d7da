"""Reads an event and makes its object's half in one pass over the bytes, where nothing is odd.

The object's type must be known before its bytes are read: it is guessed from the record key, whose
prefix (`sub_`, `in_`) tells it nearly always, and checked afterwards. Whatever is odd (an unknown
type or field, a value that does not fit, a wrong guess) is read the long way instead.

Where nothing is compiled, it knows no type: everything is read the long way.

Columns that are made of several fields, or of what is nested in one (`quantity` of the only item),
are made the long way too, but once: an object's next events show the same fields as before.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from producer import compiled
from producer.children import ListField
from producer.kept import Kept
from producer.memory import entry_name
from producer.nested import parsed, text_of
from producer.normalise import NOT_JSON, Normaliser
from producer.observation import Observation, operation_of
from producer.reading import SECOND_MAX, InboxRecord
from producer.shown_lists import ShownList
from schemas.columns import Column, ColumnKind
from schemas.decimals import is_decimal
from schemas.inbox import Envelope, Kind

PREFIXES_MAX: Final = 10_000
"""Chosen ids have no prefix in common; the guesses are forgotten when there are so many."""
KEPT_BYTES_MAX: Final = 134_217_728
"""Of moved fields and what was made of them; twice over at worst."""
SHARED_FIELDS_BYTES_MAX: Final = 512
"""Moved fields that say so little are the same for many objects: null, an empty list."""


class Made(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was made of an object's moved fields.

    Attributes:
        moved: the fields' bytes.
        cells: Avro's bytes of the columns that are made of them.
        lists: that the object's body shows.
    """

    moved: tuple[bytes, ...] = ()
    cells: tuple[bytes, ...] = ()
    lists: tuple[ShownList, ...] = ()


class QuickBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object as the short way reads it."""

    half: bytes
    lists: tuple[ShownList, ...]


class UnmetBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An object whose half is to be made the long way: its moved fields were not met before.

    Attributes:
        moved: the fields' bytes, which are not judged yet.
        value: its JSON.
    """

    moved: tuple[bytes, ...]
    value: bytes


class QuickReader:
    """Reads events whose object type was met before."""

    def __init__(self) -> None:
        self._guesses: dict[str, str] = {}
        self._types: dict[str, _QuickType] = {}
        self._kept = Kept[tuple[str, str | tuple[bytes, ...]], Made](bytes_max=KEPT_BYTES_MAX)

    def learn(
        self, observation: Observation, normaliser: Normaliser, lists: Sequence[ListField]
    ) -> None:
        """Take note of an event that was read the long way.

        Args:
            lists: that bodies of its type hold.
        """
        if observation.kind is not Kind.EVENT or not (
            compiled.IS_COMPILED and normaliser.is_plain
        ):
            return
        if len(self._guesses) >= PREFIXES_MAX:
            self._guesses.clear()
        name = observation.object_name
        self._guesses[_prefix(observation.key)] = name
        known = self._types.get(name)
        if known is None or known.learnt != normaliser.learnt:
            self._types[name] = _QuickType(normaliser, lists)

    def remember(
        self, observation: Observation, body: UnmetBody, half: bytes, lists: tuple[ShownList, ...]
    ) -> None:
        """Keep what the long way made of moved fields that were not met before."""
        name, moved = observation.object_name, body.moved
        made = Made(moved=moved, cells=self._types[name].reader.moved_cells(half), lists=lists)
        sizes = [one.size for one in lists]
        size = _size(moved)
        # An element belongs to the object that shows it.
        is_shared = size <= SHARED_FIELDS_BYTES_MAX and not any(sizes)
        place = moved if is_shared else observation.key
        self._kept.keep((name, place), made, size + _size(made.cells) + sum(sizes))

    def read(
        self, record: InboxRecord, envelope: Envelope, received_at: int, key: str
    ) -> tuple[str, Observation, QuickBody | UnmetBody] | None:
        """Name, observation and body; none if it must be read the long way.

        Args:
            record: of the inbox.
            envelope: an event's; but for `received_at`, which is given beside it.
            received_at: microseconds since 1970 UTC.
            key: the record's.
        """
        name = self._guesses.get(_prefix(key))
        if name is None:
            return None
        quick = self._types[name]
        made = self._kept.get((name, key)) if quick.has_moved else _NOTHING_MADE
        event = quick.reader.read(record.value, None if made is None else made.moved)
        if event is None:
            return None
        event_id, event_type, second, api_version, account, previous, object_id, is_known = event
        account_id = account or envelope.account_id
        identity = f"{account_id}/{object_id}" if account_id else object_id
        if identity != key or not 0 < second < SECOND_MAX:
            return None
        body = self._body(name, quick.reader, made if is_known else None)
        if body is None:
            return None
        observation = Observation(
            kind=Kind.EVENT,
            source=envelope.source,
            evidence=None,
            object_name=name,
            key=key,
            account_id=account_id,
            second=second,
            operation=operation_of(event_type),
            event_id=event_id,
            event_type=event_type,
            api_version=api_version,
            previous=previous,
            value=record.value,
            received_at=received_at,
            partition=record.partition,
            offset=record.offset,
            finer=envelope.finer,
        )
        return entry_name(quick.table, key), observation, body

    def _body(
        self, name: str, reader: "compiled.EventReader", made: Made | None
    ) -> QuickBody | UnmetBody | None:
        if made is None:
            moved = reader.moved()
            made = (
                self._kept.get((name, moved)) if _size(moved) <= SHARED_FIELDS_BYTES_MAX else None
            )
            if made is None:
                return UnmetBody(moved=moved, value=reader.body())
        half = reader.half(made.cells)
        return None if half is None else QuickBody(half=half, lists=made.lists)


class _QuickType:
    """How events about one type of object are read."""

    def __init__(self, normaliser: Normaliser, lists: Sequence[ListField]) -> None:
        columns = normaliser.object_type.columns
        kinds, self.learnt = normaliser.kinds, normaliser.learnt
        moved = {field for column in columns for field in _made_of(column, normaliser)}
        moved |= {field for one in lists for field in (one.field, *dict(one.inherited))}
        self.has_moved = bool(moved)
        self.table = normaliser.object_type.table
        self.reader = compiled.EventReader(
            normaliser.object_type.name,
            [(field, kind.value) for field, kind in kinds.items()],
            sorted(map(normaliser.position, moved)),
            [
                *((_source(column, normaliser, moved), column.kind.value) for column in columns),
                (compiled.FROM_EXTRA, ColumnKind.JSON.value),
            ],
            sorted(filter(_is_plain_name, normaliser.learnt)),
            _Judge(),
        )


class _Judge:
    """Looks a second time at single values of an event."""

    def is_json(self, raw: bytes) -> bool:
        """Whether a value can be decoded."""
        try:
            _DECODE(raw)
        except NOT_JSON:
            return False
        return True

    def text(self, raw: bytes) -> bytes | None:
        """A nested value's canonical text; none if it is no JSON."""
        try:
            found = text_of(parsed(raw))
        except NOT_JSON:
            return None
        return None if found is None else found.encode()

    def string(self, raw: bytes) -> bytes | None:
        """A text without its escapes; none if it is no JSON."""
        try:
            return _DECODE_STRING(raw).encode()
        except NOT_JSON:
            return None

    def number(self, raw: bytes) -> float | None:
        """A number; none if it is no JSON."""
        try:
            return _DECODE_NUMBER(raw)
        except NOT_JSON:
            return None

    def is_decimal(self, text: str) -> bool:
        """Whether a text may stand in a column of decimals."""
        return is_decimal(text)


def _made_of(column: Column, normaliser: Normaliser) -> set[str]:
    """The fields that a column is made of, unless it is its own field as it stands."""
    feeds = [*column.newer, *column.older, *(part.feed for part in column.parts)]
    if not feeds and column.source not in normaliser.embedded:
        return set()
    conditions = {part.when[0] for part in column.parts if part.when is not None}
    return {column.source, *conditions, *(feed.place.field for feed in feeds)}


def _source(column: Column, normaliser: Normaliser, moved: set[str]) -> int:
    """The place of the field that a column is made of, or the word for where else it is from."""
    if _made_of(column, normaliser):
        return compiled.FROM_MOVED
    if column.kind is ColumnKind.JSON:
        if column.source in normaliser.apart:
            return compiled.FROM_NOTHING
        if column.source in moved:
            return compiled.FROM_MOVED
    return normaliser.position(column.source)


def _is_plain_name(name: str) -> bool:
    """Whether a field's name stands in JSON as it is."""
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name


def _prefix(key: str) -> str:
    return key.rpartition("/")[2].partition("_")[0]


def _size(values: Sequence[bytes]) -> int:
    return sum(map(len, values))


_DECODE: Final = msgspec.json.Decoder().decode
_DECODE_STRING: Final = msgspec.json.Decoder(str).decode
_DECODE_NUMBER: Final = msgspec.json.Decoder(float).decode
_NOTHING_MADE: Final = Made()
