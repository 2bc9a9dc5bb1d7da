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
from producer.children import TypeLists
from producer.kept import Kept
from producer.nested import parsed, text_of
from producer.normalise import NOT_JSON, Normaliser
from producer.observation import Observation
from producer.reading import EnvelopeReader, InboxRecord
from producer.record import hash_of
from producer.shown_lists import ShownList, digest_of
from schemas.columns import Column, ColumnKind
from schemas.decimals import is_decimal
from schemas.inbox import Kind

PREFIXES_MAX: Final = 10_000
"""Chosen ids have no prefix in common; the guesses are forgotten when there are so many."""
KEPT_BYTES_MAX: Final = 134_217_728
"""Of moved fields and what was made of them; twice over at worst."""


class Made(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was made of an object's moved fields.

    Attributes:
        moved: the fields' bytes.
        cells: Avro's bytes of the columns that are made of them.
        lists: that the object's body shows.
        digest: of all of them.
    """

    moved: tuple[bytes, ...] = ()
    cells: tuple[bytes, ...] = ()
    lists: tuple[ShownList, ...] = ()
    digest: bytes = b""


class Unmet(msgspec.Struct, frozen=True, gc=False):
    """An event whose half is to be made the long way: its moved fields were not met before.

    Attributes:
        event: without its half.
        moved: the fields' bytes, which are not judged yet.
        body: its object's JSON.
    """

    event: compiled.QuickCandidate
    moved: tuple[bytes, ...]
    body: bytes


class QuickReader:
    """Reads events whose object type was met before."""

    def __init__(self, envelopes: EnvelopeReader) -> None:
        self._envelopes = envelopes
        self._guesses: dict[str, str] = {}
        self._readers: dict[str, compiled.EventReader] = {}
        self._learnt: dict[str, tuple[str, ...]] = {}
        self._kept = Kept[tuple[str, str | tuple[bytes, ...]], Made](bytes_max=KEPT_BYTES_MAX)

    def learn(self, observation: Observation, normaliser: Normaliser, lists: TypeLists) -> None:
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
        self._guesses[compiled.prefix_of(observation.key)] = name
        if self._learnt.get(name) != normaliser.learnt:
            self._learnt[name] = normaliser.learnt
            self._readers[name] = _reader(normaliser, lists)

    def remember(self, unmet: Unmet, half: bytes, lists: tuple[ShownList, ...]) -> None:
        """Keep what the long way made of moved fields that were not met before."""
        name, moved = unmet.event.object_name, unmet.moved
        made = Made(
            moved=moved,
            cells=self._readers[name].moved_cells(half),
            lists=lists,
            digest=digest_of(lists),
        )
        sizes = [one.size for one in lists]
        size = _size(moved)
        # An element belongs to the object that shows it.
        is_shared = size <= compiled.SHARED_FIELDS_BYTES_MAX and not any(sizes)
        place = moved if is_shared else unmet.event.key
        self._kept.keep((name, place), made, size + _size(made.cells) + sum(sizes))

    def read(
        self, records: Sequence[InboxRecord]
    ) -> Sequence[compiled.QuickCandidate | Unmet | None]:
        """What each record says; none where it must be read the long way."""
        if not self._readers:
            return [None] * len(records)
        found = compiled.read_events(
            list(records),
            self._envelopes.known,
            self._envelopes.read,
            self._guesses,
            self._readers,
            self._kept,
        )
        return [Unmet(*one) if isinstance(one, tuple) else one for one in found]


def _reader(normaliser: Normaliser, lists: TypeLists) -> "compiled.EventReader":
    """Reads events about one type of object."""
    columns = normaliser.object_type.columns
    moved = {field for column in columns for field in _made_of(column, normaliser)}
    moved |= {field for one in lists.fields for field in (one.field, *dict(one.inherited))}
    return compiled.EventReader(
        normaliser.object_type.name,
        [(field, kind.value) for field, kind in normaliser.kinds.items()],
        sorted(map(normaliser.position, moved)),
        [
            *((_source(column, normaliser, moved), column.kind.value) for column in columns),
            (compiled.FROM_EXTRA, ColumnKind.JSON.value),
        ],
        sorted(filter(_is_plain_name, normaliser.learnt)),
        _Judge(),
        hash_of,
        normaliser.object_type.table,
        bool(lists.owned_fields),
        lists.all_owned,
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


def _size(values: Sequence[bytes]) -> int:
    return sum(map(len, values))


_DECODE: Final = msgspec.json.Decoder().decode
_DECODE_STRING: Final = msgspec.json.Decoder(str).decode
_DECODE_NUMBER: Final = msgspec.json.Decoder(float).decode
